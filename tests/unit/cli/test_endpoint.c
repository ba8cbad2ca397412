/* SPDX-License-Identifier: MIT */
/* Ports as people paste them from errors and browsers. */
#include <string.h>

#include "cli/arguments/endpoint.h"
#include "testing.h"

TEST(what_errors_and_browsers_show_is_a_port)
{
	static const struct {
		const char *text;
		uint16_t port;
		const char *addr;
	} rows[] = {
		{ ":::3000", 3000, "" }, /* node: EADDRINUSE: address already in use :::3000 */
		{ "*:3000", 3000, "" },	 /* ss, lsof */
		{ "127.0.0.1:3000", 3000, "127.0.0.1" },
		{ "0.0.0.0:3000", 3000, "0.0.0.0" },
		{ "::1:3000", 3000, "::1" },
		{ "[::1]:3000", 3000, "::1" },
		{ "[::]:3000", 3000, "" },
		{ "localhost:3000", 3000, "" },
		{ "localhost:3000/x?y=1#z", 3000, "" },
		{ "http://localhost:3000/x", 3000, "" },
		{ "HTTP://127.0.0.1:3000", 3000, "" },
		{ "http://[::1]:3000/", 3000, "" },
		{ "ws://shop.test:3000/hot", 3000, "" },
		{ "http://localhost", 80, "" },
		{ "https://shop.test/", 443, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char addr[NET_ADDR_STR_SIZE];
		uint16_t port;

		assert_true(endpoint_read(rows[i].text, &port, addr));
		assert_int_equal(port, rows[i].port);
		assert_string_equal(addr, rows[i].addr);
	}
}

TEST(a_service_a_number_and_half_an_address_are_no_such_port)
{
	static const char *const texts[] = {
		"",	     "3000",	    ":3000",	      "shop:web",	  "shop:3000",
		"localhost", "::1",	    "[::1]",	      "[::1]3000",	  "[::1:3000",
		"[]:3000",   "127.0.0.1",   "127.0.0.1:",     "127.0.0.1:0",	  "127.0.0.1:70000",
		"http://",   "http://:30",  "http://x:3000x", "https://x:65536/", "file:///x:3000",
		"fe80::1",   "localhost:x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char addr[NET_ADDR_STR_SIZE];
		uint16_t port;

		assert_false(endpoint_read(texts[i], &port, addr));
	}
}

TEST_MAIN(NULL, NULL)
