/* SPDX-License-Identifier: MIT */
/* Random questions, owners, tables and environments: what must hold of every answer. */
#include "unit/reconcile/worlds.h"

#define ROUNDS 40000

static struct bind_asked asked_of(const struct random_world *w, bool listening)
{
	const struct why_question *q = &w->question;

	return (struct bind_asked){
		.protocol = q->protocol,
		.family = q->family,
		.addr = q->addr,
		.v6only = q->v6only,
		.reuseaddr = q->reuseaddr,
		.reuseport = q->reuseport,
		.uid = q->uid,
		.dev = q->dev,
		.listening = listening,
		.self = q->cookie,
		.has_program = q->has_program,
	};
}

/* The oracle's answer to the bind and, for TCP, to the listen. */
static int oracle_error(const struct random_world *w)
{
	struct bind_asked asked = asked_of(w, false);
	struct bind_verdict verdict;

	bind_oracle(&w->table, &asked, &verdict);
	if (verdict.error || asked.protocol == IPPROTO_UDP)
		return verdict.error;
	asked.listening = true;
	bind_oracle(&w->table, &asked, &verdict);
	return verdict.error;
}

static void check_form(const struct random_world *w, const struct why_answer *a)
{
	assert_in_range(a->verdict, 0, _WHY_VERDICT_MAX - 1);
	assert_true(a->n_blocking <= WHY_BLOCKING_MAX);
	for (size_t i = 0; i < a->n_blocking; i++) {
		assert_true(a->blocking[i] >= w->owners && a->blocking[i] < w->owners + w->n);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(a->blocking[i], a->blocking[k]);
	}
	if (a->free)
		assert_int_equal(a->n_blocking, 0);
}

/* A listener comes before anything that is weaker, and TIME_WAIT after everything. */
static void check_order(const struct why_answer *a)
{
	for (size_t i = 1; i < a->n_blocking; i++) {
		enum socket_state before = a->blocking[i - 1]->bind.state;
		enum socket_state after = a->blocking[i]->bind.state;

		assert_true(after != SOCKET_LISTEN || before == SOCKET_LISTEN);
		assert_true(before != SOCKET_TIME_WAIT || after == SOCKET_TIME_WAIT ||
			    after == SOCKET_UNKNOWN);
	}
}

static size_t count_blockers(const struct random_world *w, bool listening)
{
	struct bind_asked asked = asked_of(w, listening);
	enum bind_rule rule;
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += bind_oracle_blocks(&w->owners[i].bind, &asked, &rule);
	return n;
}

static bool is_about_now(const struct why_question *q)
{
	return !q->error || (!q->call && q->error == EADDRINUSE && !q->no_entry);
}

static void check_now(const struct random_world *w, const struct why_answer *a)
{
	size_t blockers;

	if (a->verdict != WHY_GONE)
		assert_true(!a->free || a->error == 0);
	if (!w->walked || a->error == EINVAL || a->error == EADDRNOTAVAIL)
		return; /* not what the oracle answers */
	if (oracle_error(w)) {
		blockers = count_blockers(w, true);
		assert_false(a->free);
		assert_int_equal(a->error, EADDRINUSE);
		assert_int_equal(a->n_blocking,
				 blockers < WHY_BLOCKING_MAX ? blockers : WHY_BLOCKING_MAX);
		return;
	}
	assert_int_equal(a->n_blocking, 0);
	assert_true(a->free || a->error == EACCES || a->verdict == WHY_UNKNOWN);
	if (a->verdict == WHY_UNKNOWN)
		assert_false(w->table.stable);
}

static void check_recorded(const struct random_world *w, const struct why_answer *a)
{
	assert_false(a->free);
	assert_int_equal(a->error, w->question.error);
	if (w->question.error != EADDRINUSE || w->question.no_entry)
		assert_int_equal(a->n_blocking, 0);
	if (w->question.stage == EVENT_STAGE_DENIED || w->question.stage == EVENT_STAGE_BOUND) {
		assert_int_equal(a->n_blocking, 0);
		assert_true(a->verdict == WHY_FAKED_BY_CGROUP_BPF ||
			    a->verdict == WHY_DENIED_BY_CGROUP_BPF ||
			    a->verdict == WHY_DENIED_BY_CGROUP_POST_BIND);
	}
	if (w->question.stage == EVENT_STAGE_PROTECTED) {
		assert_int_equal(a->verdict, WHY_PROTECTED);
		assert_int_equal(a->n_blocking, 0);
	}
	if (w->question.rewritten)
		assert_int_equal(a->verdict, WHY_PORT_REWRITTEN_BY_BPF);
}

TEST(every_answer_is_sound_and_agrees_with_the_oracle)
{
	static struct random_world w;

	w.random = random_start(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct why_answer a;

		random_world_fill(&w);
		a = random_world_explain(&w);
		check_form(&w, &a);
		if (w.question.protocol != IPPROTO_UDP)
			check_order(&a);
		if (is_about_now(&w.question))
			check_now(&w, &a);
		else
			check_recorded(&w, &a);
	}
}

/* What is certain without the kernel's table is what the table would have said. */
TEST(what_is_certain_without_the_table_is_true_with_it)
{
	static struct random_world w;

	w.random = random_start(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct why_answer without, with;

		random_world_fill(&w);
		w.question.call = EVENT_CALL_NONE;
		w.question.error = 0;
		for (size_t k = 0; k < w.n; k++) {
			w.owners[k].flags_known = false;
			/* netlink tells the truth where it tells anything */
			w.rows[k].v6only = w.owners[k].bind.v6only;
		}
		w.table.stable = true;
		w.table.secondary = false;
		w.walked = false;
		without = random_world_explain(&w);
		if (without.verdict == WHY_UNKNOWN)
			continue;
		w.walked = true;
		with = random_world_explain(&w);
		/* an owner whose state is not known blocks by name of WHY_UNKNOWN */
		if (with.verdict == WHY_UNKNOWN)
			continue;
		assert_int_equal(without.free, with.free);
		assert_int_equal(without.error, with.error);
	}
}

TEST_MAIN(NULL, NULL)
