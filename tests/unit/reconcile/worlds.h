/* SPDX-License-Identifier: MIT */
/* Random questions, owners, tables and environments for why_explain(). */
#ifndef TESTS_UNIT_RECONCILE_WORLDS_H
#define TESTS_UNIT_RECONCILE_WORLDS_H

#include <errno.h>
#include <netinet/in.h>

#include "reconcile/oracle.h"
#include "reconcile/why.h"
#include "testing.h"
#include "unit/random.h"

#define OWNERS_MAX 24

static const char *const addresses[] = {
	"0.0.0.0", "127.0.0.1", "127.0.0.2",	    "::",
	"::1",	   "fe80::1",	"::ffff:127.0.0.1", "::ffff:0.0.0.0",
};

struct random_world {
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

static inline unsigned below(struct random_world *w, unsigned n)
{
	return random_below(&w->random, n);
}

static inline bool chance(struct random_world *w, unsigned percent)
{
	return below(w, 100) < percent;
}

static inline struct net_addr random_address(struct random_world *w, uint8_t *ret_family)
{
	struct net_addr a;
	const char *text = addresses[below(w, ARRAY_SIZE(addresses))];

	assert_int_equal(net_addr_parse(text, ret_family, &a), 0);
	return a;
}

static inline struct process_id random_process(struct random_world *w)
{
	return (struct process_id){ (pid_t)below(w, 4), 1 };
}

static inline void random_question(struct random_world *w)
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

static inline void random_bind(struct random_world *w, struct bind_owner *b)
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

static inline void random_owner(struct random_world *w, size_t i)
{
	static const char states[] = { 0, 'S', 'T', 't', 'D', 'Z' };
	struct why_owner *o = &w->owners[i];
	struct socket_row *row = &w->rows[i];

	*o = (struct why_owner){
		.flags_known = w->walked || chance(w, 20),
		.row = chance(w, 80) ? row : NULL,
		.file_ref = { .kind = chance(w, 20) ? below(w, FILE_REF_SYSCALL + 1)
						    : FILE_REF_NONE,
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

static inline void random_table(struct random_world *w)
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

static inline void random_world_fill(struct random_world *w)
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

static inline struct why_answer random_world_explain(const struct random_world *w)
{
	struct why_answer a;

	memset(&a, 0xa5, sizeof(a));
	why_explain(&w->question, w->walked ? &w->table : NULL, w->owners, w->n, NULL, 0,
		    &w->environment, &a);
	return a;
}

#endif
