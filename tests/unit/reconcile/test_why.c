/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "reconcile/why.h"
#include "unit/random.h"

#define PORT	       3000
#define RULE_MAX_CHARS 200

static struct net_addr address(const char *text, uint8_t *ret_family)
{
	struct net_addr a;

	assert_int_equal(net_addr_parse(text, ret_family, &a), 0);
	return a;
}

static struct why_question ask(const char *addr, bool v6only)
{
	struct why_question q = { .protocol = IPPROTO_TCP, .port = PORT, .v6only = v6only };

	q.addr = address(addr, &q.family);
	return q;
}

static struct socket_row owner(const char *addr, bool v6only, enum socket_state state)
{
	struct socket_row row = { .protocol = IPPROTO_TCP,
				  .port = PORT,
				  .state = state,
				  .v6only = v6only,
				  .v6only_known = true };

	row.addr = address(addr, &row.family);
	return row;
}

static struct why_answer explain(const struct why_question *q, const struct socket_row *here,
				 size_t n, bool ephemeral)
{
	struct why_answer a;

	why_explain(q, here, n, NULL, 0, ephemeral, &a);
	assert_in_range(strlen(a.rule), 1, RULE_MAX_CHARS);
	assert_int_equal(a.rule[strlen(a.rule) - 1], '.');
	return a;
}

/* --- one owner ------------------------------------------------------------------------------- */

struct verdict_case {
	const char *asked;
	bool asked_v6only;
	const char *owned;
	bool owned_v6only;
	enum socket_state state;
	bool ephemeral;
	enum why_verdict verdict;
};

static const struct verdict_case verdict_cases[] = {
	/* what a person asks who names no address */
	{ "::", false, "127.0.0.1", false, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::", false, "0.0.0.0", false, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::", false, "::", false, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::", false, "::", true, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::", false, "::1", true, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::", false, "::ffff:127.0.0.1", false, SOCKET_LISTEN, false, WHY_LISTENER },
	/* one address against another */
	{ "127.0.0.1", false, "127.0.0.1", false, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "127.0.0.1", false, "127.0.0.2", false, SOCKET_LISTEN, false, WHY_FREE },
	{ "127.0.0.1", false, "0.0.0.0", false, SOCKET_LISTEN, false,
	  WHY_LISTENER_WILDCARD_OVERLAP },
	{ "0.0.0.0", false, "127.0.0.1", false, SOCKET_LISTEN, false,
	  WHY_LISTENER_WILDCARD_OVERLAP },
	{ "0.0.0.0", false, "0.0.0.0", false, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::1", false, "::", true, SOCKET_LISTEN, false, WHY_LISTENER_WILDCARD_OVERLAP },
	{ "::", true, "::1", true, SOCKET_LISTEN, false, WHY_LISTENER_WILDCARD_OVERLAP },
	{ "::", true, "::", false, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::1", false, "::1", false, SOCKET_LISTEN, false, WHY_LISTENER },
	{ "::1", false, "fd00::1", false, SOCKET_LISTEN, false, WHY_FREE },
	/* one family against the other */
	{ "127.0.0.1", false, "::", false, SOCKET_LISTEN, false, WHY_DUAL_STACK },
	{ "0.0.0.0", false, "::", false, SOCKET_LISTEN, false, WHY_DUAL_STACK },
	{ "127.0.0.1", false, "::", true, SOCKET_LISTEN, false, WHY_FREE },
	{ "::", true, "0.0.0.0", false, SOCKET_LISTEN, false, WHY_FREE },
	{ "127.0.0.1", false, "::1", false, SOCKET_LISTEN, false, WHY_FREE },
	{ "::1", false, "0.0.0.0", false, SOCKET_LISTEN, false, WHY_FREE },
	{ "::ffff:127.0.0.1", false, "127.0.0.1", false, SOCKET_LISTEN, false, WHY_DUAL_STACK },
	{ "127.0.0.1", false, "::ffff:127.0.0.1", false, SOCKET_LISTEN, false, WHY_DUAL_STACK },
	{ "127.0.0.1", false, "::ffff:127.0.0.2", false, SOCKET_LISTEN, false, WHY_FREE },
	{ "::ffff:127.0.0.1", false, "::1", false, SOCKET_LISTEN, false, WHY_FREE },
	/* what is no listener */
	{ "::", false, "127.0.0.1", false, SOCKET_BOUND, false, WHY_BOUND_NOT_LISTENING },
	{ "127.0.0.1", false, "::", false, SOCKET_BOUND, false, WHY_BOUND_NOT_LISTENING },
	{ "::", false, "127.0.0.1", false, SOCKET_TIME_WAIT, false, WHY_TIME_WAIT },
	{ "::", false, "127.0.0.1", false, SOCKET_TIME_WAIT, true, WHY_TIME_WAIT },
	{ "::", false, "127.0.0.1", false, SOCKET_CLOSE_WAIT, false, WHY_CONN_CLOSE_WAIT },
	{ "::", false, "127.0.0.1", false, SOCKET_ESTABLISHED, false, WHY_CONN_OF_CLOSED_LISTENER },
	{ "::", false, "127.0.0.1", false, SOCKET_FIN_WAIT1, false, WHY_CONN_OF_CLOSED_LISTENER },
	{ "::", false, "127.0.0.1", false, SOCKET_FIN_WAIT2, false, WHY_CONN_OF_CLOSED_LISTENER },
	{ "::", false, "127.0.0.1", false, SOCKET_LAST_ACK, false, WHY_CONN_OF_CLOSED_LISTENER },
	{ "::", false, "127.0.0.1", false, SOCKET_CLOSING, false, WHY_CONN_OF_CLOSED_LISTENER },
	{ "::", false, "127.0.0.1", false, SOCKET_ESTABLISHED, true, WHY_OUTGOING_CONNECTION },
	{ "::", false, "127.0.0.1", false, SOCKET_SYN_SENT, true, WHY_OUTGOING_CONNECTION },
	{ "::", false, "127.0.0.1", false, SOCKET_SYN_SENT, false, WHY_OUTGOING_CONNECTION },
	{ "127.0.0.2", false, "127.0.0.1", false, SOCKET_TIME_WAIT, false, WHY_FREE },
	{ "::", false, "127.0.0.1", false, SOCKET_UNKNOWN, false, WHY_UNKNOWN },
};

static void verdicts_follow_from_addresses_and_states(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdict_cases); i++) {
		const struct verdict_case *c = &verdict_cases[i];
		struct why_question q = ask(c->asked, c->asked_v6only);
		struct socket_row row = owner(c->owned, c->owned_v6only, c->state);
		struct why_answer a = explain(&q, &row, 1, c->ephemeral);
		bool free = c->verdict == WHY_FREE;

		if (a.verdict != c->verdict)
			print_error("case %zu: %s against %s: %s\n", i, c->asked, c->owned,
				    why_verdict_name(a.verdict));
		assert_int_equal(a.verdict, c->verdict);
		assert_int_equal(a.free, free);
		assert_int_equal(a.error, free ? 0 : EADDRINUSE);
		assert_int_equal(a.n_blocking, free ? 0 : 1);
		if (!free)
			assert_ptr_equal(a.blocking[0], &row);
	}
}

static void rules_name_the_sockets_and_what_makes_them_meet(void **state)
{
	static const struct {
		const char *asked, *owned, *words[3];
		enum socket_state state;
	} cases[] = {
		{ "::", "::", { "[::]:3000", "SO_REUSEPORT" }, SOCKET_LISTEN },
		{ "::", "127.0.0.1", { "127.0.0.1:3000", "every address" }, SOCKET_LISTEN },
		{ "127.0.0.1",
		  "0.0.0.0",
		  { "0.0.0.0:3000, which covers", "127.0.0.1:3000" },
		  SOCKET_LISTEN },
		{ "0.0.0.0",
		  "127.0.0.1",
		  { "listens on 127.0.0.1:3000", "0.0.0.0:3000 covers" },
		  SOCKET_LISTEN },
		{ "127.0.0.1", "::", { "[::]:3000", "V6ONLY", "127.0.0.1:3000" }, SOCKET_LISTEN },
		{ "127.0.0.1",
		  "::ffff:127.0.0.1",
		  { "[::ffff:127.0.0.1]:3000", "IPv4" },
		  SOCKET_LISTEN },
		{ "::", "::", { "bind()", "listen()" }, SOCKET_BOUND },
		{ "::", "127.0.0.1", { "TIME_WAIT", "SO_REUSEADDR" }, SOCKET_TIME_WAIT },
		{ "::", "127.0.0.1", { "holder" }, SOCKET_CLOSE_WAIT },
		{ "::", "127.0.0.1", { "outlives its listener" }, SOCKET_ESTABLISHED },
		{ "::", "127.0.0.1", { "outgoing" }, SOCKET_SYN_SENT },
		{ "127.0.0.1",
		  "127.0.0.2",
		  { "127.0.0.1:3000 is free", "do not overlap" },
		  SOCKET_LISTEN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct why_question q = ask(cases[i].asked, false);
		struct socket_row row = owner(cases[i].owned, false, cases[i].state);
		struct why_answer a = explain(&q, &row, 1, false);

		for (size_t w = 0; w < ARRAY_SIZE(cases[i].words) && cases[i].words[w]; w++) {
			if (!strstr(a.rule, cases[i].words[w]))
				print_error("'%s' lacks '%s'\n", a.rule, cases[i].words[w]);
			assert_non_null(strstr(a.rule, cases[i].words[w]));
		}
	}
}

static void the_longest_addresses_leave_a_whole_sentence(void **state)
{
	static const char *const longest = "1111:2222:3333:4444:5555:6666:7777:8888";

	for (int s = SOCKET_LISTEN; s < _SOCKET_STATE_MAX; s++) {
		struct why_question questions[] = { ask(longest, false), ask("::", false),
						    ask("::", true) };
		struct socket_row rows[] = { owner(longest, true, s), owner("::", false, s) };

		for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
			for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
				questions[i].port = rows[j].port = 65535;
				explain(&questions[i], &rows[j], 1, false);
				explain(&questions[i], &rows[j], 1, true);
			}
	}
}

static void an_empty_port_is_free(void **state)
{
	struct why_question q = ask("::", false);
	struct why_answer a = explain(&q, NULL, 0, false);

	assert_int_equal(a.verdict, WHY_FREE);
	assert_true(a.free);
	assert_int_equal(a.error, 0);
	assert_string_equal(a.rule, "[::]:3000 is free: no socket owns the port.");
}

static void any_udp_socket_blocks_a_udp_bind(void **state)
{
	struct why_question q = ask("127.0.0.1", false);
	struct socket_row row = owner("0.0.0.0", false, SOCKET_BOUND);
	struct why_answer a;

	q.protocol = row.protocol = IPPROTO_UDP;
	a = explain(&q, &row, 1, false);
	assert_int_equal(a.verdict, WHY_UDP_BOUND);
	assert_int_equal(a.error, EADDRINUSE);
	row.state = SOCKET_ESTABLISHED;
	assert_int_equal(explain(&q, &row, 1, true).verdict, WHY_UDP_BOUND);
	row = owner("127.0.0.2", false, SOCKET_BOUND);
	row.protocol = IPPROTO_UDP;
	assert_int_equal(explain(&q, &row, 1, false).verdict, WHY_FREE);
}

/* --- several owners -------------------------------------------------------------------------- */

static void the_strongest_owner_gives_the_verdict(void **state)
{
	/* weakest first; each one added takes over */
	struct socket_row rows[] = {
		owner("127.0.0.1", false, SOCKET_TIME_WAIT),
		owner("127.0.0.1", false, SOCKET_ESTABLISHED),
		owner("127.0.0.1", false, SOCKET_BOUND),
		owner("::", false, SOCKET_LISTEN),
		owner("0.0.0.0", false, SOCKET_LISTEN),
		owner("127.0.0.1", false, SOCKET_LISTEN),
	};
	static const enum why_verdict verdicts[] = {
		WHY_TIME_WAIT,	WHY_CONN_OF_CLOSED_LISTENER,   WHY_BOUND_NOT_LISTENING,
		WHY_DUAL_STACK, WHY_LISTENER_WILDCARD_OVERLAP, WHY_LISTENER,
	};
	struct why_question q = ask("127.0.0.1", false);

	for (size_t n = 1; n <= ARRAY_SIZE(rows); n++) {
		struct why_answer a = explain(&q, rows, n, false);

		assert_int_equal(a.verdict, verdicts[n - 1]);
		assert_int_equal(a.n_blocking, n);
		for (size_t i = 0; i < n; i++)
			assert_ptr_equal(a.blocking[i], &rows[n - 1 - i]);
	}
}

static void a_listener_comes_before_its_many_connections(void **state)
{
	struct why_question q = ask("::", false);
	struct socket_row rows[40];
	struct why_answer a;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i] = owner("127.0.0.1", false, SOCKET_ESTABLISHED);
	rows[39] = owner("0.0.0.0", false, SOCKET_LISTEN);
	a = explain(&q, rows, ARRAY_SIZE(rows), false);
	assert_int_equal(a.verdict, WHY_LISTENER);
	assert_int_equal(a.n_blocking, WHY_BLOCKING_MAX);
	assert_ptr_equal(a.blocking[0], &rows[39]);
	assert_ptr_equal(a.blocking[1], &rows[0]);
}

static void owners_that_do_not_overlap_are_not_shown(void **state)
{
	struct why_question q = ask("127.0.0.1", false);
	struct socket_row rows[] = { owner("127.0.0.2", false, SOCKET_LISTEN),
				     owner("::1", false, SOCKET_LISTEN),
				     owner("127.0.0.1", false, SOCKET_TIME_WAIT) };
	struct why_answer a = explain(&q, rows, ARRAY_SIZE(rows), false);

	assert_int_equal(a.verdict, WHY_TIME_WAIT);
	assert_int_equal(a.n_blocking, 1);
	assert_ptr_equal(a.blocking[0], &rows[2]);
}

static void an_unknown_v6only_is_said_and_not_guessed(void **state)
{
	struct why_question q = ask("127.0.0.1", false);
	struct socket_row row = owner("::", false, SOCKET_LISTEN);
	struct why_answer a;

	row.v6only_known = false;
	a = explain(&q, &row, 1, false);
	assert_int_equal(a.verdict, WHY_UNKNOWN);
	assert_false(a.free);
	assert_int_equal(a.n_blocking, 0);
	assert_non_null(strstr(a.rule, "V6ONLY"));
	/* where it makes no difference, it is not missed */
	q = ask("::1", false);
	assert_int_equal(explain(&q, &row, 1, false).verdict, WHY_LISTENER_WILDCARD_OVERLAP);
	q = ask("::", false);
	assert_int_equal(explain(&q, &row, 1, false).verdict, WHY_LISTENER);
}

/* --- other namespaces ------------------------------------------------------------------------ */

static void a_port_that_is_busy_elsewhere_is_free_here(void **state)
{
	struct why_question q = ask("::", false);
	struct socket_row row = owner("0.0.0.0", false, SOCKET_LISTEN);
	const struct socket_row *elsewhere = &row;
	struct why_answer a;

	why_explain(&q, NULL, 0, &elsewhere, 1, false, &a);
	assert_int_equal(a.verdict, WHY_OTHER_NETNS);
	assert_true(a.free);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.n_blocking, 0);
	row.protocol = IPPROTO_UDP;
	why_explain(&q, NULL, 0, &elsewhere, 1, false, &a);
	assert_int_equal(a.verdict, WHY_FREE);
}

static void an_owner_here_matters_more_than_one_elsewhere(void **state)
{
	struct why_question q = ask("::", false);
	struct socket_row here = owner("0.0.0.0", false, SOCKET_TIME_WAIT);
	struct socket_row row = owner("0.0.0.0", false, SOCKET_LISTEN);
	const struct socket_row *elsewhere = &row;
	struct why_answer a;

	why_explain(&q, &here, 1, &elsewhere, 1, false, &a);
	assert_int_equal(a.verdict, WHY_TIME_WAIT);
	assert_ptr_equal(a.blocking[0], &here);
}

static void verdicts_have_the_documented_names(void **state)
{
	static const char *const names[] = { "free",
					     "listener",
					     "listener_wildcard_overlap",
					     "dual_stack",
					     "bound_not_listening",
					     "time_wait",
					     "conn_of_closed_listener",
					     "conn_close_wait",
					     "outgoing_connection",
					     "udp_bound",
					     "other_netns",
					     "unknown" };

	assert_int_equal(ARRAY_SIZE(names), _WHY_VERDICT_MAX);
	for (int v = 0; v < _WHY_VERDICT_MAX; v++)
		assert_string_equal(why_verdict_name(v), names[v]);
	assert_string_equal(why_verdict_name(_WHY_VERDICT_MAX), "unknown");
	assert_string_equal(why_verdict_name(-1), "unknown");
}

/* --- random situations ----------------------------------------------------------------------- */

struct endpoint {
	const char *text;
	unsigned covers; /* bits of the concrete addresses 127.0.0.1, 127.0.0.2, ::1, fd00::1 */
	unsigned covers_as_v6only;
};

/* What each address means, as the set of concrete addresses at which it takes packets. */
static const struct endpoint endpoints[] = {
	{ "127.0.0.1", 1, 1 },	      { "127.0.0.2", 2, 2 },
	{ "0.0.0.0", 3, 3 },	      { "::1", 4, 4 },
	{ "fd00::1", 8, 8 },	      { "::", 15, 12 },
	{ "::ffff:127.0.0.1", 1, 1 }, { "::ffff:127.0.0.2", 2, 2 },
	{ "::ffff:0.0.0.0", 3, 3 },
};

static void addresses_overlap_when_they_share_a_concrete_address(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(endpoints) * 2; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(endpoints) * 2; j++) {
			const struct endpoint *a = &endpoints[i / 2], *b = &endpoints[j / 2];
			struct why_question q = ask(a->text, i % 2);
			struct socket_row row = owner(b->text, j % 2, SOCKET_LISTEN);
			unsigned shared = (i % 2 ? a->covers_as_v6only : a->covers) &
					  (j % 2 ? b->covers_as_v6only : b->covers);

			if (why_addresses_overlap(&q, &row) != (shared != 0))
				print_error("%s%s and %s%s\n", a->text, i % 2 ? " V6ONLY" : "",
					    b->text, j % 2 ? " V6ONLY" : "");
			assert_int_equal(why_addresses_overlap(&q, &row), shared != 0);
		}
	}
}

static void random_situations_are_answered_consistently(void **state)
{
	struct random_source r = random_start(__func__);

	for (int i = 0; i < 20000; i++) {
		struct why_question q = ask(endpoints[random_below(&r, ARRAY_SIZE(endpoints))].text,
					    random_below(&r, 2));
		struct socket_row rows[24];
		size_t n = random_below(&r, ARRAY_SIZE(rows) + 1), overlapping = 0;
		struct why_answer a;

		q.protocol = random_below(&r, 3) ? IPPROTO_TCP : IPPROTO_UDP;
		for (size_t k = 0; k < n; k++) {
			rows[k] = owner(endpoints[random_below(&r, ARRAY_SIZE(endpoints))].text,
					random_below(&r, 2), random_below(&r, _SOCKET_STATE_MAX));
			rows[k].protocol = q.protocol;
			overlapping += why_addresses_overlap(&q, &rows[k]);
		}
		a = explain(&q, rows, n, random_below(&r, 2));
		assert_int_equal(a.free, overlapping == 0);
		assert_int_equal(a.free, a.verdict == WHY_FREE);
		assert_int_equal(a.error, a.free ? 0 : EADDRINUSE);
		assert_int_equal(a.n_blocking,
				 overlapping < WHY_BLOCKING_MAX ? overlapping : WHY_BLOCKING_MAX);
		for (size_t k = 0; k < a.n_blocking; k++) {
			assert_true(why_addresses_overlap(&q, a.blocking[k]));
			for (size_t m = 0; m < k; m++)
				assert_ptr_not_equal(a.blocking[k], a.blocking[m]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_follow_from_addresses_and_states),
		cmocka_unit_test(rules_name_the_sockets_and_what_makes_them_meet),
		cmocka_unit_test(the_longest_addresses_leave_a_whole_sentence),
		cmocka_unit_test(an_empty_port_is_free),
		cmocka_unit_test(any_udp_socket_blocks_a_udp_bind),
		cmocka_unit_test(the_strongest_owner_gives_the_verdict),
		cmocka_unit_test(a_listener_comes_before_its_many_connections),
		cmocka_unit_test(owners_that_do_not_overlap_are_not_shown),
		cmocka_unit_test(an_unknown_v6only_is_said_and_not_guessed),
		cmocka_unit_test(a_port_that_is_busy_elsewhere_is_free_here),
		cmocka_unit_test(an_owner_here_matters_more_than_one_elsewhere),
		cmocka_unit_test(verdicts_have_the_documented_names),
		cmocka_unit_test(addresses_overlap_when_they_share_a_concrete_address),
		cmocka_unit_test(random_situations_are_answered_consistently),
	};

	return cmocka_run_group_tests_name("reconcile/why", tests, NULL, NULL);
}
