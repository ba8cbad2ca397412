/* SPDX-License-Identifier: MIT */
/* Which state an address is in, by the texts of the kernel's tables. */
#include "base/clock.h"
#include "reconcile/address.h"
#include "testing.h"

static const char fib_trie[] = "Main:\n"
			       "  +-- 0.0.0.0/0 3 0 5\n"
			       "     |-- 0.0.0.0\n"
			       "        /0 universe UNICAST\n"
			       "     +-- 127.0.0.0/8 2 0 2\n"
			       "        |-- 127.0.0.0\n"
			       "           /8 host LOCAL\n"
			       "     |-- 192.0.2.7\n"
			       "        /32 host LOCAL\n"
			       "     |-- 192.0.2.255\n"
			       "        /32 link BROADCAST\n";

TEST(an_address_is_local_when_a_route_says_so)
{
	static const struct {
		uint8_t addr[4];
		enum why_address_state state;
	} rows[] = {
		{ { 127, 0, 0, 1 }, ADDRESS_LOCAL },   { { 127, 9, 9, 9 }, ADDRESS_LOCAL },
		{ { 192, 0, 2, 7 }, ADDRESS_LOCAL },   { { 192, 0, 2, 8 }, ADDRESS_NONLOCAL },
		{ { 192, 0, 2, 255 }, ADDRESS_LOCAL }, { { 224, 0, 0, 1 }, ADDRESS_LOCAL },
		{ { 10, 1, 2, 3 }, ADDRESS_NONLOCAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(address_in_fib_trie(fib_trie, rows[i].addr), rows[i].state);
	/* such a namespace takes every address */
	assert_int_equal(address_in_fib_trie("", rows[6].addr), ADDRESS_LOCAL);
}

/* Any user fills the table of a namespace of his own, and everybody waits while it is read. */
TEST(a_table_of_thousands_of_addresses_takes_no_second)
{
	enum { ROUTES = 20000, ROUTE_SIZE = 80, MOST_MS = 1000 };
	static const uint8_t elsewhere[4] = { 9, 9, 9, 9 };
	_cleanup_free_ char *text = malloc(ROUTES * ROUTE_SIZE);
	size_t used = 0;
	uint64_t began_us;

	assert_non_null(text);
	for (int i = 0; i < ROUTES; i++)
		used += (size_t)sprintf(text + used,
					"     |-- 10.0.%d.%d\n        /32 host LOCAL\n", i / 250,
					i % 250);
	began_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
	assert_int_equal(address_in_fib_trie(text, elsewhere), ADDRESS_NONLOCAL);
	assert_true(clock_us(CLOCK_THREAD_CPUTIME_ID) - began_us < MOST_MS * 1000);
}

TEST(an_ipv6_address_has_the_state_of_its_flags)
{
	static const char text[] = "fe8000000000000000fc00fffe000001 04 40 20 40     eth0\n"
				   "20010db8000000000000000000000001 04 40 00 88     eth0\n"
				   "00000000000000000000000000000001 01 80 10 80       lo\n";
	static const uint8_t tentative[16] = {
		0xfe, 0x80, [9] = 0xfc, [11] = 0xff, 0xfe, [15] = 1
	};
	static const uint8_t failed[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	static const uint8_t loopback[16] = { [15] = 1 };
	static const uint8_t other[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 };

	assert_int_equal(address_in_if_inet6(text, tentative), ADDRESS_TENTATIVE);
	assert_int_equal(address_in_if_inet6(text, failed), ADDRESS_DADFAILED);
	assert_int_equal(address_in_if_inet6(text, loopback), ADDRESS_LOCAL);
	assert_int_equal(address_in_if_inet6(text, other), ADDRESS_NONLOCAL);
}

TEST_MAIN(NULL, NULL)
