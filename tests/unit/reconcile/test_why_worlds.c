/* SPDX-License-Identifier: MIT */
/* Random questions, owners, tables and environments: what must hold of every answer. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "reconcile/oracle.h"
#include "reconcile/why.h"
#include "unit/random.h"

#define ROUNDS	       40000
#define OWNERS_MAX     24
#define RULE_MAX_CHARS 200

static const char *const addresses[] = {
	"0.0.0.0", "127.0.0.1", "127.0.0.2",	    "::",
	"::1",	   "fe80::1",	"::ffff:127.0.0.1", "::ffff:0.0.0.0",
};

struct world {
	struct random_source random;
	struct why_question question;
	struct why_environment environment;
	struct why_owner owners[OWNERS_MAX];
	struct socket_row rows[OWNERS_MAX];
	struct holder holders[OWNERS_MAX][2];
	struct bind_owner table_owners[OWNERS_MAX];
	struct bind_table table;
	size_t n;
	bool walked;
};

static unsigned below(struct world *w, unsigned n)
{
	return random_below(&w->random, n);
}

static bool chance(struct world *w, unsigned percent)
{
	return below(w, 100) < percent;
}

static struct net_addr random_address(struct world *w, uint8_t *ret_family)
{
	struct net_addr a;
	const char *text = addresses[below(w, ARRAY_SIZE(addresses))];

	assert_int_equal(net_addr_parse(text, ret_family, &a), 0);
	return a;
}

static struct process_id random_process(struct world *w)
{
	return (struct process_id){ (pid_t)below(w, 4), 1 };
}

static void random_question(struct world *w)
{
	static const int errors[] = { EADDRINUSE, EACCES, EPERM,  EADDRNOTAVAIL,
				      EINVAL,	  ENODEV, EFAULT, 1234 };
	struct why_question *q = &w->question;

	*q = (struct why_question){
		.protocol = chance(w, 70) ? IPPROTO_TCP : IPPROTO_UDP,
		.port = chance(w, 95) ? 40000 : 0,
		.v6only = chance(w, 30),
		.reuseaddr = chance(w, 50),
		.reuseport = chance(w, 40),
		.has_program = chance(w, 10),
		.uid = below(w, 2),
		.dev = chance(w, 15) ? 1 + below(w, 2) : 0,
		.cookie = below(w, 4),
	};
	q->addr = random_address(w, &q->family);
	if (chance(w, 50))
		return;
	q->call = below(w, 3);
	q->error = chance(w, 60) ? EADDRINUSE : errors[below(w, ARRAY_SIZE(errors))];
	q->caller = random_process(w);
	q->no_entry = chance(w, 5);
	if (!q->no_entry && q->call == EVENT_CALL_BIND)
		q->stage = below(w, _EVENT_STAGE_MAX);
	q->rewritten = q->stage == EVENT_STAGE_PASSED && chance(w, 50);
	q->asked_port = 40001;
	q->bound_port = chance(w, 10) ? 5000 : 0;
}

static void random_bind(struct world *w, struct bind_owner *b)
{
	*b = (struct bind_owner){
		.id = 1 + below(w, 1000),
		.cookie = below(w, 8),
		.inode = below(w, 3),
		.protocol = w->question.protocol,
		.state = below(w, _SOCKET_STATE_MAX),
		.substate = chance(w, 50) ? SOCKET_FIN_WAIT2 : SOCKET_TIME_WAIT,
		.peer_port = chance(w, 50) ? (uint16_t)below(w, 65536) : 0,
		.v6only = chance(w, 30),
		.reuseaddr = chance(w, 50),
		.reuseport = chance(w, 40),
		.uid = below(w, 2),
		.dev = chance(w, 15) ? 1 + below(w, 2) : 0,
		.file_refs = below(w, 3),
		.kernel = chance(w, 5),
		.port_asked = chance(w, 50),
		.connect_bound = chance(w, 10),
		.shut_down = chance(w, 10),
		.mptcp = chance(w, 10),
		.sleeper = (pid_t)below(w, 2),
	};
	b->minisocket = b->state == SOCKET_TIME_WAIT;
	b->addr = random_address(w, &b->family);
}

static void random_owner(struct world *w, size_t i)
{
	static const char states[] = { 0, 'S', 'T', 't', 'D', 'Z' };
	struct why_owner *o = &w->owners[i];
	struct socket_row *row = &w->rows[i];

	*o = (struct why_owner){
		.flags_known = w->walked || chance(w, 20),
		.row = chance(w, 80) ? row : NULL,
		.grip = { .kind = chance(w, 20) ? below(w, GRIP_SYSCALL + 1) : GRIP_NONE,
			  .process = random_process(w) },
		.kin = below(w, KIN_STRANGER + 1),
		.holder_state = states[below(w, ARRAY_SIZE(states))],
		.holder_frozen = chance(w, 5),
		.holder_exiting = chance(w, 5),
		.same_program = chance(w, 20),
	};
	random_bind(w, &o->bind);
	*row = (struct socket_row){
		.v6only_known = chance(w, 50),
		.binder = random_process(w),
		.binder_fate = below(w, BINDER_GONE + 1),
		.n_holders = below(w, 3),
		.holders = w->holders[i],
	};
	for (size_t k = 0; k < row->n_holders; k++)
		w->holders[i][k].id = random_process(w);
	w->table_owners[i] = o->bind;
}

static void random_table(struct world *w)
{
	struct bind_bucket *b = &w->table.bucket;

	w->table = (struct bind_table){ .owners = w->table_owners, .n_owners = w->n };
	w->table.stable = chance(w, 95);
	w->table.secondary = chance(w, 20);
	w->table.n_first_chain = w->table.secondary ? below(w, (unsigned)w->n + 1) : 0;
	b->fastreuse = (int8_t)((int)below(w, 3) - 1);
	b->fastreuseport = (int8_t)below(w, 3);
	b->fastuid = below(w, 2);
	b->fast_v6_rcv_saddr = random_address(w, &b->fast_family);
}

static void random_world(struct world *w)
{
	w->walked = chance(w, 75);
	random_question(w);
	w->environment = (struct why_environment){
		.ephemeral_first = 32768,
		.ephemeral_last = 60999,
		.unprivileged_port_start = chance(w, 10) ? 50000 : 1024,
		.caller_may_bind_low = chance(w, 50),
		.caller_in_own_userns = chance(w, 50),
		.ipv6_disabled = chance(w, 20),
		.address = chance(w, 20) ? below(w, ADDRESS_LINK_DOWN + 1) : ADDRESS_LOCAL,
		.cgroup_bind_program = chance(w, 20),
		.caller_has_landlock = chance(w, 20),
	};
	w->n = below(w, chance(w, 30) ? 2 : OWNERS_MAX + 1);
	for (size_t i = 0; i < w->n; i++)
		random_owner(w, i);
	random_table(w);
}

static struct why_answer explain(const struct world *w)
{
	struct why_answer a;

	memset(&a, 0xa5, sizeof(a));
	why_explain(&w->question, w->walked ? &w->table : NULL, w->owners, w->n, NULL, 0,
		    &w->environment, &a);
	return a;
}

static struct bind_asked asked_of(const struct world *w, bool listening)
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
static int oracle_error(const struct world *w)
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

static void check_form(const struct world *w, const struct why_answer *a)
{
	size_t n = strlen(a->rule);

	assert_in_range(a->verdict, 0, _WHY_VERDICT_MAX - 1);
	assert_in_range(n, 1, RULE_MAX_CHARS);
	assert_int_equal(a->rule[n - 1], '.');
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

static size_t count_blockers(const struct world *w, bool listening)
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

static void check_now(const struct world *w, const struct why_answer *a)
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

static void check_recorded(const struct world *w, const struct why_answer *a)
{
	assert_false(a->free);
	assert_int_equal(a->error, w->question.error);
	if (w->question.error != EADDRINUSE || w->question.no_entry)
		assert_int_equal(a->n_blocking, 0);
	if (w->question.stage == EVENT_STAGE_DENIED || w->question.stage == EVENT_STAGE_BOUND) {
		assert_int_equal(a->n_blocking, 0);
		assert_in_range(a->verdict, WHY_FAKED_BY_CGROUP_BPF,
				WHY_DENIED_BY_CGROUP_POST_BIND);
	}
	if (w->question.rewritten)
		assert_int_equal(a->verdict, WHY_PORT_REWRITTEN_BY_BPF);
}

static void every_answer_is_sound_and_agrees_with_the_oracle(void **state)
{
	static struct world w;

	w.random = random_start(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct why_answer a;

		random_world(&w);
		a = explain(&w);
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
static void what_is_certain_without_the_table_is_true_with_it(void **state)
{
	static struct world w;

	w.random = random_start(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct why_answer without, with;

		random_world(&w);
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
		without = explain(&w);
		if (without.verdict == WHY_UNKNOWN)
			continue;
		w.walked = true;
		with = explain(&w);
		/* an owner whose state is not known blocks by name of WHY_UNKNOWN */
		if (with.verdict == WHY_UNKNOWN)
			continue;
		assert_int_equal(without.free, with.free);
		assert_int_equal(without.error, with.error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_is_sound_and_agrees_with_the_oracle),
		cmocka_unit_test(what_is_certain_without_the_table_is_true_with_it),
	};

	return cmocka_run_group_tests_name("reconcile/why in random worlds", tests, NULL, NULL);
}
