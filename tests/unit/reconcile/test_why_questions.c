/* SPDX-License-Identifier: MIT */
/* Questions with more than one answer or none: which one is given. */
#include "unit/reconcile/situations.h"

/* --- other questions --- */

TEST(a_port_that_is_busy_elsewhere_is_free_here)
{
	struct socket_row row = { .protocol = IPPROTO_TCP, .state = SOCKET_LISTEN };
	struct why_question q = question_of(&plain);
	struct why_answer a;

	a = explain_unowned(&q, &row, NULL);
	assert_int_equal(a.verdict, WHY_OTHER_NETNS);
	assert_true(a.free);
	assert_int_equal(a.error, 0);
	row.protocol = IPPROTO_UDP;
	a = explain_unowned(&q, &row, NULL);
	assert_int_equal(a.verdict, WHY_FREE);
}

TEST(an_owner_here_matters_more_than_one_elsewhere)
{
	struct socket_row row = { .protocol = IPPROTO_TCP, .state = SOCKET_LISTEN };
	const struct socket_row *elsewhere = &row;
	struct world w;
	struct why_answer a;

	world_init(&plain, &w);
	why_explain(&w.question, &w.table, &w.owner, 1, &elsewhere, 1, NULL, &a);
	assert_int_equal(a.verdict, WHY_LISTENER);
}

TEST(a_remembered_refusal_of_a_port_that_is_free_now_is_gone)
{
	struct why_question q = question_of(&plain);
	struct why_answer a;

	q.error = EADDRINUSE;
	a = explain_unowned(&q, NULL, NULL);
	assert_int_equal(a.verdict, WHY_GONE);
	assert_true(a.free);
	assert_int_equal(a.error, EADDRINUSE);
}

TEST(a_refused_listen_is_not_blamed_on_the_caller_s_own_socket)
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

TEST(a_table_that_kept_changing_does_not_say_free)
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

TEST(a_listener_comes_before_its_many_connections)
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

/* The kernel lists them as it found them; that one of two is told is not left to that. */
TEST(which_of_two_owners_is_told_does_not_hang_on_their_order)
{
	struct why_owner owners[2] = { { .flags_known = true }, { .flags_known = true } };
	struct bind_owner walked[2];
	const struct bind_table table = { .stable = true, .owners = walked, .n_owners = 2 };
	struct why_question q = question_of(&plain);
	struct why_answer a;

	q.addr = address("0.0.0.0", &q.family);
	for (size_t first = 0; first < 2; first++) {
		struct bind_owner *b = &owners[first].bind, *other = &owners[!first].bind;

		*b = (struct bind_owner){ .state = SOCKET_LISTEN };
		*other = *b;
		b->addr = address("127.0.0.1", &b->family);
		other->addr = address("::", &other->family);
		memcpy(walked, (struct bind_owner[]){ owners[0].bind, owners[1].bind },
		       sizeof(walked));
		why_explain(&q, &table, owners, 2, NULL, 0, NULL, &a);
		assert_int_equal(a.n_blocking, 2);
		assert_int_equal(a.verdict, WHY_LISTENER_WILDCARD_OVERLAP);
		assert_ptr_equal(a.blocking[0], &owners[first]);
	}
}

/* --- without the kernel's table --- */

TEST(without_the_table_nothing_is_guessed)
{
	for (size_t i = 0; i < ARRAY_SIZE(untold); i++) {
		const struct untold *u = &untold[i];
		struct world w;
		struct why_answer a;

		world_init_untold(u, &w);
		why_explain(&w.question, NULL, &w.owner, 1, NULL, 0, NULL, &a);
		if (a.verdict != u->verdict)
			print_error("case %zu: %s\n", i, why_verdict_name(a.verdict));
		assert_int_equal(a.verdict, u->verdict);
		assert_int_equal(a.free, u->verdict == WHY_FREE);
		assert_int_equal(a.error, u->missing || a.free ? 0 : EADDRINUSE);
		/* who may be in the way is shown as well */
		assert_int_equal(a.n_blocking, u->verdict != WHY_FREE);
	}
}

/* --- names --- */

TEST(verdicts_have_names_of_their_own)
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

TEST_MAIN(NULL, NULL)
