/* SPDX-License-Identifier: MIT */
/*
 * Rules (bpf/rules.h) in the worlds of the differential test: a port that is hard-coded in the
 * program that asks, or one that is protected, and who asks then.
 */
#ifndef KERNEL_RULED_WORLDS_H
#define KERNEL_RULED_WORLDS_H

#include <netinet/in.h>
#include <sys/syscall.h>

#include "actors.h"
#include "base/run.h"
#include "reconcile/why.h"
#include "reconcile/why_parts.h"
#include "unit/random.h"

#define RULED_RUN  4711
#define RULED_SIDE 1997 /* the other end of a rewriting: nobody is there */

enum rule_kind {
	RULE_NONE,	/* the test itself asks */
	RULE_HARDCODED, /* a member whose run has it for another port */
	RULE_OWN,	/* a member, and the port is protected for its run */
	RULE_STRANGER,	/* it is protected for others */
};

struct rule {
	enum rule_kind kind;
	uint16_t asked, bound; /* what bind() is handed, and what it is about then */
	uint16_t protected_port;
	struct child *binder; /* NULL: the test itself */
};

static struct child ruled_member, ruled_stranger;

/* --- who asks --- */

struct bind_order {
	int fd; /* the test's own */
	socklen_t size;
	struct sockaddr_storage address;
};

static inline int run_binder(struct act *act)
{
	int test = (int)syscall(SYS_pidfd_open, getppid(), 0);
	struct bind_order o;

	while (read(act->from, &o, sizeof(o)) == sizeof(o)) {
		struct told told = { .fd = (int)syscall(SYS_pidfd_getfd, test, o.fd, 0) };

		told.error = bind(told.fd, (struct sockaddr *)&o.address, o.size) ? -errno : 0;
		close(told.fd);
		act_tell(act, &told);
	}
	return 0;
}

/* An errno; on Linux before 6.1 who is refused by a rule is told EPERM. */
static inline int bind_by_rule(const struct rule *rule, int fd, const struct sockaddr_storage *a,
			       socklen_t size)
{
	struct bind_order o = { .fd = fd, .size = size, .address = *a };
	struct told told;

	if (!rule->binder)
		return bind(fd, (const struct sockaddr *)a, size) ? errno : 0;
	assert_int_equal(write(rule->binder->to, &o, sizeof(o)), sizeof(o));
	told = hear(rule->binder);
	assert_true(told.fd >= 0);
	if (told.error == -EPERM && rule->kind == RULE_STRANGER)
		return EADDRINUSE;
	return -told.error;
}

/* False where this kernel has no rules. */
static inline bool ruled_worlds_start(struct sentinel *sentinel)
{
	struct process_id id;

	if (!sentinel_kernel_source(sentinel)->set_run_rules)
		return false;
	ruled_member = start_child(run_binder);
	ruled_stranger = start_child(run_binder);
	id = identity(ruled_member.pid);
	assert_int_equal(ASK(sentinel, begin_run, RULED_RUN, &id), 0);
	return true;
}

/* --- one world --- */

static inline void choose_hardcoded(struct random_source *random, uint16_t port, bool udp,
				    struct rule *rule, struct run_rules *rules)
{
	/* what stands at the asked port is in nobody's way, what stands at the given one is */
	bool is_given = random_below(random, 10) < 7;
	uint16_t given = is_given ? port : RULED_SIDE;

	rule->asked = is_given ? RULED_SIDE : port;
	rule->bound = udp ? rule->asked : given; /* UDP is never given another */
	rule->protected_port = random_below(random, 10) < 3 ? given : 0;
	rules->n = 1;
	rules->hardcoded[0] = (struct run_hardcoded){ .asked = rule->asked, .port = given };
	rule->binder = &ruled_member;
}

/* Behind its holders: a port is protected against those who do not have it yet. */
static inline struct rule rule_begin(struct sentinel *sentinel, struct random_source *random,
				     uint16_t port, bool udp)
{
	struct rule rule = { .kind = RULE_HARDCODED + random_below(random, 3),
			     .asked = port,
			     .bound = port,
			     .protected_port = port };
	struct run_rules rules = { .port = RULED_SIDE };

	if (rule.kind == RULE_HARDCODED)
		choose_hardcoded(random, port, udp, &rule, &rules);
	else if (rule.kind == RULE_OWN)
		rules.port = port;
	if (!rule.binder) /* a member of a run that has another port is a stranger as well */
		rule.binder = rule.kind == RULE_OWN || random_below(random, 10) < 3
				      ? &ruled_member
				      : &ruled_stranger;
	assert_int_equal(ASK(sentinel, set_run_rules, RULED_RUN, &rules), 0);
	if (rule.protected_port)
		assert_int_equal(ASK(sentinel, protect_port, rule.protected_port, true), 0);
	return rule;
}

static inline void rule_end(struct sentinel *sentinel, const struct rule *rule)
{
	if (rule->kind == RULE_NONE)
		return;
	if (rule->protected_port)
		assert_int_equal(ASK(sentinel, protect_port, rule->protected_port, false), 0);
	assert_int_equal(ASK(sentinel, set_run_rules, RULED_RUN, NULL), 0);
}

/* What bind() answers by it, where no socket is in the way. */
static inline int rule_foresees(const struct rule *rule)
{
	const struct why_question q = { .port = rule->asked,
					.is_protected = rule->kind == RULE_STRANGER };
	const struct why_environment e = { 0 };
	int error;

	return why_foresee_rights(&q, &e, &error) == WHY_FREE ? 0 : error;
}

#endif
