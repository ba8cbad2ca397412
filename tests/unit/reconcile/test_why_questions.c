/* SPDX-License-Identifier: MIT */
/* Questions with more than one answer or none: which one is given, and in which words. */
#include "unit/reconcile/situations.h"

/* --- other questions --- */

static const struct situation plain = { WHY_LISTENER, "::", "0.0.0.0", LISTENS, FILE_OF_ONE };

static void a_port_that_is_busy_elsewhere_is_free_here(void **state)
{
	const struct bind_table nobody = { .stable = true };
	struct socket_row row = { .protocol = IPPROTO_TCP, .state = SOCKET_LISTEN };
	const struct socket_row *elsewhere = &row;
	struct why_question q = question_of(&plain);
	struct why_answer a;

	why_explain(&q, &nobody, NULL, 0, &elsewhere, 1, NULL, &a);
	check_sentence(&a);
	assert_int_equal(a.verdict, WHY_OTHER_NETNS);
	assert_true(a.free);
	assert_int_equal(a.error, 0);
	row.protocol = IPPROTO_UDP;
	why_explain(&q, &nobody, NULL, 0, &elsewhere, 1, NULL, &a);
	assert_int_equal(a.verdict, WHY_FREE);
}

static void an_owner_here_matters_more_than_one_elsewhere(void **state)
{
	struct socket_row row = { .protocol = IPPROTO_TCP, .state = SOCKET_LISTEN };
	const struct socket_row *elsewhere = &row;
	struct world w;
	struct why_answer a;

	world_init(&plain, &w);
	why_explain(&w.question, &w.table, &w.owner, 1, &elsewhere, 1, NULL, &a);
	assert_int_equal(a.verdict, WHY_LISTENER);
}

static void a_remembered_refusal_of_a_port_that_is_free_now_is_gone(void **state)
{
	const struct bind_table nobody = { .stable = true };
	struct why_question q = question_of(&plain);
	struct why_answer a;

	q.error = EADDRINUSE;
	why_explain(&q, &nobody, NULL, 0, NULL, 0, NULL, &a);
	check_sentence(&a);
	assert_int_equal(a.verdict, WHY_GONE);
	assert_true(a.free);
	assert_int_equal(a.error, EADDRINUSE);
}

static void a_refused_listen_is_not_blamed_on_the_caller_s_own_socket(void **state)
{
	struct situation s = { .asked = "127.0.0.1",
			       .owned = "127.0.0.1",
			       LISTENS,
			       FILE_OF_ONE,
			       REFUSED(EVENT_CALL_LISTEN) };
	struct world w;

	s.question.cookie = s.owner.bind.cookie = 77;
	world_init(&s, &w);
	assert_int_equal(explain_world(&s, &w).verdict, WHY_UNKNOWN);
	w.owner.bind.cookie = 78;
	assert_int_equal(explain_world(&s, &w).verdict, WHY_LISTEN_CONFLICT);
}

static void a_table_that_kept_changing_does_not_say_free(void **state)
{
	struct situation s = { .asked = "127.0.0.1", .owned = "127.0.0.2", LISTENS, FILE_OF_ONE };
	struct world w;
	struct why_answer a;

	world_init(&s, &w);
	w.table.stable = false;
	a = explain_world(&s, &w);
	assert_int_equal(a.verdict, WHY_UNKNOWN);
	assert_false(a.free);
	assert_int_equal(a.error, 0);
	world_init(&plain, &w);
	w.table.stable = false;
	assert_int_equal(explain_world(&plain, &w).verdict, WHY_LISTENER);
}

static void a_listener_comes_before_its_many_connections(void **state)
{
	static struct why_owner owners[40];
	static struct bind_owner walked[40];
	const struct bind_table table = { .stable = true, .owners = walked, .n_owners = 40 };
	struct why_question q = question_of(&plain);
	struct why_answer a;

	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		struct bind_owner *b = &owners[i].bind;

		owners[i].flags_known = true;
		b->addr = address("127.0.0.1", &b->family);
		b->state = i % 2 ? SOCKET_ESTABLISHED : SOCKET_TIME_WAIT;
		b->inode = b->file_refs = i % 2;
	}
	owners[39].bind.state = SOCKET_LISTEN;
	owners[38].bind.state = SOCKET_BOUND;
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
		walked[i] = owners[i].bind;
	why_explain(&q, &table, owners, ARRAY_SIZE(owners), NULL, 0, NULL, &a);
	assert_int_equal(a.n_blocking, WHY_BLOCKING_MAX);
	assert_ptr_equal(a.blocking[0], &owners[39]);
	assert_ptr_equal(a.blocking[1], &owners[38]);
	assert_ptr_equal(a.blocking[2], &owners[1]); /* of equals, the first */
	assert_ptr_equal(a.blocking[15], &owners[27]);
}

/* --- without the kernel's table --- */

struct untold {
	enum why_verdict verdict;
	const char *asked, *owned;
	enum socket_state state;
	bool reuseaddr, reuseport, v6only_known;
	const char *missing;
};

static const struct untold untold[] = {
	{ WHY_LISTENER, "::", "0.0.0.0", SOCKET_LISTEN, false, false, false, NULL },
	{ WHY_TIME_WAIT, "::", "127.0.0.1", SOCKET_TIME_WAIT, false, false, false, NULL },
	{ WHY_FREE, "127.0.0.1", "127.0.0.2", SOCKET_LISTEN, true, true, true, NULL },
	{ WHY_LISTENER, "::", "0.0.0.0", SOCKET_LISTEN, true, false, true, NULL },
	{ WHY_UNKNOWN, "::", "127.0.0.1", SOCKET_TIME_WAIT, true, false, true, "SO_REUSEADDR" },
	{ WHY_UNKNOWN, "::", "0.0.0.0", SOCKET_LISTEN, false, true, true, "SO_REUSEPORT" },
	{ WHY_UNKNOWN, "127.0.0.1", "::", SOCKET_LISTEN, false, false, false, "V6ONLY" },
	{ WHY_DUAL_STACK, "127.0.0.1", "::", SOCKET_LISTEN, false, false, true, NULL },
	{ WHY_LISTENER_WILDCARD_OVERLAP, "::1", "::", SOCKET_LISTEN, false, false, false, NULL },
};

static void without_the_table_nothing_is_guessed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(untold); i++) {
		const struct untold *u = &untold[i];
		struct situation s = { .asked = u->asked,
				       .owned = u->owned,
				       .holders = { HOLDER } };
		struct world w;
		struct why_answer a;

		s.question.reuseaddr = u->reuseaddr;
		s.question.reuseport = u->reuseport;
		s.row.v6only_known = u->v6only_known;
		s.owner.bind.state = u->state;
		s.owner.bind.minisocket = u->state == SOCKET_TIME_WAIT;
		world_init(&s, &w);
		w.owner.flags_known = false;
		why_explain(&w.question, NULL, &w.owner, 1, NULL, 0, NULL, &a);
		check_sentence(&a);
		if (a.verdict != u->verdict)
			print_error("case %zu: %s\n", i, why_verdict_name(a.verdict));
		assert_int_equal(a.verdict, u->verdict);
		assert_int_equal(a.free, u->verdict == WHY_FREE);
		assert_int_equal(a.error, u->missing || a.free ? 0 : EADDRINUSE);
		/* who may be in the way is shown as well */
		assert_int_equal(a.n_blocking, u->verdict != WHY_FREE);
		if (u->missing)
			assert_non_null(strstr(a.rule, u->missing));
	}
}

/* --- words --- */

static void rules_name_the_sockets_and_what_makes_them_meet(void **state)
{
	static const struct {
		struct situation situation;
		const char *words[3];
	} cases[] = {
		{ { WHY_LISTENER, "::", "::", LISTENS, FILE_OF_ONE },
		  { "[::]:3000", "SO_REUSEPORT" } },
		{ { WHY_LISTENER, "::", "127.0.0.1", LISTENS, FILE_OF_ONE },
		  { "127.0.0.1:3000", "every address" } },
		{ { WHY_LISTENER_WILDCARD_OVERLAP, "127.0.0.1", "0.0.0.0", LISTENS, FILE_OF_ONE },
		  { "0.0.0.0:3000, which covers", "127.0.0.1:3000" } },
		{ { WHY_LISTENER_WILDCARD_OVERLAP, "0.0.0.0", "127.0.0.1", LISTENS, FILE_OF_ONE },
		  { "listens on 127.0.0.1:3000", "0.0.0.0:3000 covers" } },
		{ { WHY_DUAL_STACK, "127.0.0.1", "::", LISTENS, FILE_OF_ONE },
		  { "[::]:3000", "V6ONLY", "127.0.0.1:3000" } },
		{ { WHY_DUAL_STACK, "::", "0.0.0.0", LISTENS, FILE_OF_ONE,
		    REFUSED(EVENT_CALL_BIND) },
		  { "0.0.0.0:3000", "[::]:3000", "V6ONLY" } },
		{ { WHY_REUSEPORT_UID, "::", "::", LISTENS, FILE_OF_ONE, .question.reuseport = true,
		    .question.uid = 12, .owner.bind.reuseport = true, .owner.bind.uid = 34 },
		  { "user id 34", "to 12" } },
		{ { WHY_OUTGOING_CONNECTION, "::", "127.0.0.1", RANGE,
		    .owner.bind = { .state = SOCKET_ESTABLISHED,
				    .inode = 7,
				    .file_refs = 1,
				    .connect_bound = true } },
		  { "from 32768 to 60999" } },
		{ { WHY_FREE, "127.0.0.1", "127.0.0.2", LISTENS, FILE_OF_ONE },
		  { "127.0.0.1:3000 is free", "do not overlap" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w;
		struct why_answer a;

		world_init(&cases[i].situation, &w);
		a = explain_world(&cases[i].situation, &w);
		assert_int_equal(a.verdict, cases[i].situation.verdict);
		for (size_t k = 0; k < ARRAY_SIZE(cases[i].words) && cases[i].words[k]; k++) {
			if (!strstr(a.rule, cases[i].words[k]))
				print_error("'%s' lacks '%s'\n", a.rule, cases[i].words[k]);
			assert_non_null(strstr(a.rule, cases[i].words[k]));
		}
	}
}

static void the_longest_addresses_leave_a_whole_sentence(void **state)
{
	static const char longest[] = "1111:2222:3333:4444:5555:6666:7777:8888";

	for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
		struct situation s = situations[i];
		struct world w;

		world_init(&s, &w);
		w.owner.bind.addr = address(longest, &w.owner.bind.family);
		w.question.addr = w.owner.bind.addr;
		w.question.family = w.owner.bind.family;
		w.question.port = 65535;
		w.question.uid = w.owner.bind.uid = UINT32_MAX;
		w.owner.bind.uid = s.verdict == WHY_REUSEPORT_UID ? UINT32_MAX - 1 : UINT32_MAX;
		w.owned = w.owner.bind;
		explain_world(&s, &w);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct why_question q = question_of_refusal(&refusals[i]);
		struct why_answer a;

		q.addr = address(longest, &q.family);
		q.port = q.port ? 65535 : 0;
		why_explain(&q, NULL, NULL, 0, NULL, 0, &refusals[i].environment, &a);
		check_sentence(&a);
	}
}

static void verdicts_have_names_of_their_own(void **state)
{
	for (int v = 0; v < _WHY_VERDICT_MAX; v++) {
		assert_non_null(why_verdict_name(v));
		for (int other = 0; other < v; other++)
			assert_string_not_equal(why_verdict_name(v), why_verdict_name(other));
	}
	assert_string_equal(why_verdict_name(WHY_CONN_OF_CLOSED_LISTENER),
			    "conn_of_closed_listener");
	assert_string_equal(why_verdict_name(WHY_GONE), "gone");
	assert_string_equal(why_verdict_name(_WHY_VERDICT_MAX), "unknown");
	assert_string_equal(why_verdict_name(-1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_is_busy_elsewhere_is_free_here),
		cmocka_unit_test(an_owner_here_matters_more_than_one_elsewhere),
		cmocka_unit_test(a_remembered_refusal_of_a_port_that_is_free_now_is_gone),
		cmocka_unit_test(a_refused_listen_is_not_blamed_on_the_caller_s_own_socket),
		cmocka_unit_test(a_table_that_kept_changing_does_not_say_free),
		cmocka_unit_test(a_listener_comes_before_its_many_connections),
		cmocka_unit_test(without_the_table_nothing_is_guessed),
		cmocka_unit_test(rules_name_the_sockets_and_what_makes_them_meet),
		cmocka_unit_test(the_longest_addresses_leave_a_whole_sentence),
		cmocka_unit_test(verdicts_have_names_of_their_own),
	};

	return cmocka_run_group_tests_name("reconcile/why questions", tests, NULL, NULL);
}
