/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/event.h"
#include "base/net.h"
#include "base/outcome.h"
#include "testing.h"
#include "unit/random.h"

TEST(ports_are_read_as_people_type_them)
{
	uint16_t port = 0;

	assert_int_equal(net_port_parse("1", &port), 0);
	assert_int_equal(port, 1);
	assert_int_equal(net_port_parse("3100", &port), 0);
	assert_int_equal(port, 3100);
	assert_int_equal(net_port_parse("65535", &port), 0);
	assert_int_equal(port, 65535);
}

TEST(faulty_ports_are_refused_and_change_nothing)
{
	static const char *const faults[] = { "",    "0",    "65536", "99999", "100000",
					      "080", "+80",  "-80",   " 80",   "80 ",
					      "80a", "0x50", "8.0",   ":80",   "4294967376" };
	uint16_t port = 42;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		assert_int_equal(net_port_parse(faults[i], &port), -EINVAL);
	assert_int_equal(port, 42);
}

TEST(every_port_is_read_back)
{
	char text[8];

	for (unsigned i = 1; i <= UINT16_MAX; i++) {
		uint16_t port = 0;

		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(net_port_parse(text, &port), 0);
		assert_int_equal(port, i);
	}
}

TEST(addresses_are_read_and_written_back)
{
	static const struct {
		const char *text;
		uint8_t family;
		const char *shown;
		bool wildcard;
	} cases[] = {
		{ "127.0.0.1", AF_INET, "127.0.0.1", false },
		{ "0.0.0.0", AF_INET, "0.0.0.0", true },
		{ "255.255.255.255", AF_INET, "255.255.255.255", false },
		{ "localhost", AF_INET, "127.0.0.1", false },
		{ "::", AF_INET6, "::", true },
		{ "*", AF_INET6, "::", true },
		{ "::1", AF_INET6, "::1", false },
		{ "::ffff:10.0.0.1", AF_INET6, "::ffff:10.0.0.1", false },
		{ "2001:DB8:0:0::1", AF_INET6, "2001:db8::1", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char shown[NET_ADDR_STR_SIZE];
		struct net_addr a;
		uint8_t family;

		memset(&a, 0xAA, sizeof(a));
		assert_int_equal(net_addr_parse(cases[i].text, &family, &a), 0);
		assert_int_equal(family, cases[i].family);
		assert_string_equal(net_addr_format(family, &a, shown), cases[i].shown);
		assert_int_equal(net_addr_is_wildcard(family, &a), cases[i].wildcard);
	}
}

TEST(addresses_are_told_apart)
{
	static const struct {
		const char *text;
		bool wildcard, loopback, mapped, any;
	} cases[] = {
		{ "0.0.0.0", .wildcard = true, .any = true },
		{ "::", .wildcard = true, .any = true },
		{ "::ffff:0.0.0.0", .mapped = true, .any = true },
		{ "127.0.0.1", .loopback = true },
		{ "127.255.255.255", .loopback = true },
		{ "::1", .loopback = true },
		{ "::ffff:127.0.0.1", .mapped = true },
		{ "::ffff:0.0.0.1", .mapped = true },
		{ "126.255.255.255" },
		{ "128.0.0.0" },
		{ "0.0.0.1" },
		{ "::2" },
		{ "::1:0:0:1" },
		{ "1::1" },
		{ "7f00::" }, /* begins as 127.0.0.0 does */
		{ "::127.0.0.1" },
		{ "::fffe:0.0.0.0" },
		{ "1::ffff:0.0.0.0" },
		{ "ff02::1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_addr a;
		uint8_t family;

		assert_int_equal(net_addr_parse(cases[i].text, &family, &a), 0);
		assert_int_equal(net_addr_is_wildcard(family, &a), cases[i].wildcard);
		assert_int_equal(net_addr_is_loopback(family, &a), cases[i].loopback);
		assert_int_equal(net_addr_is_mapped(family, &a), cases[i].mapped);
		assert_int_equal(net_addr_is_any(family, &a), cases[i].any);
		assert_int_equal(net_addr_is_ipv4(family, &a),
				 family == AF_INET || cases[i].mapped);
	}
}

/* An IPv4 address has nothing mapped in it, whatever stands behind it. */
TEST(an_ipv4_address_is_never_a_mapped_one)
{
	const struct net_addr a = { .bytes = { [10] = 0xff, [11] = 0xff } };

	assert_true(net_addr_is_mapped(AF_INET6, &a));
	assert_false(net_addr_is_mapped(AF_INET, &a));
	assert_true(net_addr_is_any(AF_INET, &a));
}

TEST(an_ipv4_address_leaves_no_rubbish_behind_it)
{
	static const uint8_t zeros[12];
	struct net_addr a;
	uint8_t family;

	memset(&a, 0xAA, sizeof(a));
	assert_int_equal(net_addr_parse("1.2.3.4", &family, &a), 0);
	assert_memory_equal(a.bytes + 4, zeros, sizeof(zeros));
}

TEST(faulty_addresses_are_refused)
{
	static const char *const faults[] = { "",	  "1.2.3",	"1.2.3.256", "01.2.3.4",
					      "1.2.3.4 ", "[::1]",	"::1%lo",    ":::",
					      "host",	  "localhost.", "0.0.0.0/0" };
	struct net_addr a;
	uint8_t family;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		assert_int_equal(net_addr_parse(faults[i], &family, &a), -EINVAL);
}

TEST(the_longest_address_fits)
{
	char shown[NET_ADDR_STR_SIZE];
	struct net_addr a;

	memset(&a, 0xFF, sizeof(a));
	net_addr_format(AF_INET6, &a, shown);
	assert_string_equal(shown, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_string_equal(net_addr_format(AF_UNSPEC, &a, shown), "?");
}

TEST(states_are_those_of_the_kernel)
{
	assert_int_equal(socket_state_of_tcp(TCP_ESTABLISHED), SOCKET_ESTABLISHED);
	assert_int_equal(socket_state_of_tcp(TCP_SYN_SENT), SOCKET_SYN_SENT);
	assert_int_equal(socket_state_of_tcp(TCP_SYN_RECV), SOCKET_SYN_RECV);
	assert_int_equal(socket_state_of_tcp(TCP_FIN_WAIT1), SOCKET_FIN_WAIT1);
	assert_int_equal(socket_state_of_tcp(TCP_FIN_WAIT2), SOCKET_FIN_WAIT2);
	assert_int_equal(socket_state_of_tcp(TCP_TIME_WAIT), SOCKET_TIME_WAIT);
	assert_int_equal(socket_state_of_tcp(TCP_CLOSE), SOCKET_BOUND);
	assert_int_equal(socket_state_of_tcp(TCP_CLOSE_WAIT), SOCKET_CLOSE_WAIT);
	assert_int_equal(socket_state_of_tcp(TCP_LAST_ACK), SOCKET_LAST_ACK);
	assert_int_equal(socket_state_of_tcp(TCP_LISTEN), SOCKET_LISTEN);
	assert_int_equal(socket_state_of_tcp(TCP_CLOSING), SOCKET_CLOSING);
	assert_int_equal(socket_state_of_tcp(12), SOCKET_SYN_RECV); /* TCP_NEW_SYN_RECV */
	assert_int_equal(socket_state_of_tcp(13), SOCKET_BOUND);    /* TCP_BOUND_INACTIVE */
	assert_int_equal(socket_state_of_tcp(0), SOCKET_UNKNOWN);
	assert_int_equal(socket_state_of_tcp(14), SOCKET_UNKNOWN);
	assert_int_equal(socket_state_of_tcp(255), SOCKET_UNKNOWN);
}

TEST(names_are_those_that_users_know)
{
	assert_string_equal(socket_state_name(SOCKET_LISTEN), "LISTEN");
	assert_string_equal(socket_state_name(SOCKET_BOUND), "BOUND");
	assert_string_equal(socket_state_name(SOCKET_TIME_WAIT), "TIME_WAIT");
	assert_string_equal(socket_state_name(99), "UNKNOWN");
	assert_string_equal(net_protocol_name(IPPROTO_TCP), "tcp");
	assert_string_equal(net_protocol_name(IPPROTO_UDP), "udp");
	assert_string_equal(net_protocol_name(262), "mptcp");
	assert_string_equal(net_protocol_name(136), "udplite");
	assert_string_equal(net_errno_name(EADDRINUSE), "EADDRINUSE");
	assert_string_equal(net_errno_name(EACCES), "EACCES");
	assert_string_equal(net_errno_name(0), "E?");
	assert_string_equal(net_errno_name(-98), "E?");
	assert_string_equal(net_errno_name(99999), "E?");
	assert_string_equal(event_kind_name(EVENT_BIND), "BIND");
	assert_string_equal(event_kind_name(EVENT_EXIT), "EXIT");
	assert_string_equal(event_kind_name(0), "UNKNOWN");
	assert_string_equal(event_kind_name(_EVENT_KIND_MAX), "UNKNOWN");
}

TEST(every_state_and_event_has_a_name_of_its_own)
{
	for (int a = 1; a < _SOCKET_STATE_MAX; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(socket_state_name(a), socket_state_name(b));
	for (int a = 2; a < _EVENT_KIND_MAX; a++)
		for (int b = 1; b < a; b++)
			assert_string_not_equal(event_kind_name(a), event_kind_name(b));
}

TEST(outcomes_carry_the_documented_numbers)
{
	static const struct {
		enum outcome outcome;
		const char *code;
		int http, exit_code;
	} cases[] = {
		{ OUTCOME_OK, "ok", 200, 0 },
		{ OUTCOME_NO, "not_found", 404, 1 },
		{ OUTCOME_BAD_REQUEST, "bad_request", 400, 2 },
		{ OUTCOME_NO_DAEMON, "no_daemon", 503, 3 },
		{ OUTCOME_CONFLICT, "conflict", 409, 4 },
		{ OUTCOME_NOT_ALLOWED, "not_allowed", 403, 5 },
		{ OUTCOME_NO_FREE_PORT, "no_free_port", 409, 4 },
		{ OUTCOME_TOO_LARGE, "too_large", 413, 2 },
		{ OUTCOME_NO_ROUTE, "no_route", 404, 2 },
		{ OUTCOME_NO_METHOD, "no_method", 405, 2 },
		{ OUTCOME_NO_SPACE, "no_space", 507, 6 },
		{ OUTCOME_FAILED, "failed", 500, 6 },
	};

	assert_int_equal(ARRAY_SIZE(cases), _OUTCOME_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct outcome_row *row = outcome_row(cases[i].outcome);

		assert_string_equal(row->code, cases[i].code);
		assert_int_equal(row->http, cases[i].http);
		assert_int_equal(row->exit_code, cases[i].exit_code);
		assert_int_equal(outcome_of_code(cases[i].code), cases[i].outcome);
		assert_true(strlen(row->help) > 0);
	}
}

TEST(what_no_table_knows_counts_as_failed)
{
	assert_ptr_equal(outcome_row(_OUTCOME_MAX), outcome_row(OUTCOME_FAILED));
	assert_ptr_equal(outcome_row((enum outcome) - 1), outcome_row(OUTCOME_FAILED));
	assert_int_equal(outcome_of_code("gremlins"), OUTCOME_FAILED);
	assert_int_equal(outcome_of_code(""), OUTCOME_FAILED);
	assert_int_equal(outcome_of_errno(-EIO), OUTCOME_FAILED);
}

TEST(errors_have_outcomes)
{
	assert_int_equal(outcome_of_errno(0), OUTCOME_OK);
	assert_int_equal(outcome_of_errno(-ENOSPC), OUTCOME_NO_SPACE);
	assert_int_equal(outcome_of_errno(-EDQUOT), OUTCOME_NO_SPACE);
	assert_int_equal(outcome_of_errno(-EACCES), OUTCOME_NOT_ALLOWED);
	assert_int_equal(outcome_of_errno(-EPERM), OUTCOME_NOT_ALLOWED);
	assert_int_equal(outcome_of_errno(-EADDRINUSE), OUTCOME_CONFLICT);
	assert_int_equal(outcome_of_errno(-EINVAL), OUTCOME_BAD_REQUEST);
}

TEST(random_texts_never_confuse_addresses)
{
	struct random_source r = random_start(__func__);
	char text[24], shown[NET_ADDR_STR_SIZE];
	struct net_addr a, back;
	uint8_t family, family_back;

	for (int i = 0; i < 50000; i++) {
		random_string(&r, "0129af:.f*", 10, text, sizeof(text));
		if (net_addr_parse(text, &family, &a) != 0)
			continue;
		net_addr_format(family, &a, shown);
		assert_int_equal(net_addr_parse(shown, &family_back, &back), 0);
		assert_int_equal(family, family_back);
		assert_memory_equal(&a, &back, sizeof(a));
	}
}

TEST_MAIN(NULL, NULL)
