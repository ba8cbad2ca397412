/* SPDX-License-Identifier: MIT */
/* What why.c, which finds the owners in the way, shares with why_verdict.c and why_refusal.c, which
 * name the situation. */
#ifndef RECONCILE_WHY_PARTS_H
#define RECONCILE_WHY_PARTS_H

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "reconcile/oracle.h"
#include "reconcile/why.h"

/* One owner that is in the way of one question. */
struct why_case {
	const struct why_question *question;
	const struct why_environment *environment;
	const struct bind_bucket *bucket; /* NULL = not known */
	const struct why_owner *owner;
	enum bind_rule rule; /* by which it is in the way */
	bool listening;	     /* bind() is done, listen() is asked */
};

/*
 * Which situation of the taxonomy is this, most specific first?  *ret_strength: lower is stronger,
 * what has to go before anything weaker matters.
 */
enum why_verdict why_name_situation(const struct why_case *c, unsigned *ret_strength);

/*
 * Did a program of a cgroup refuse it, whoever owns the port?  Their own errno is EPERM;
 * bpf_set_retval() makes it any.  WHY_FREE when none was seen to.
 */
enum why_verdict why_name_program(const struct why_question *q);

/* The recorded errno is not the doing of an owner: whose is it?  WHY_UNKNOWN when nobody's. */
enum why_verdict why_name_refusal(const struct why_question *q, const struct why_environment *e);

/*
 * Would a bind now be refused before the kernel looks at the owners?  WHY_FREE, or the verdict and
 * the errno.  why_foresee_rights() is apart: a port that is taken anyway is better explained so.
 */
enum why_verdict why_foresee_address(const struct why_question *q, const struct why_environment *e,
				     int *ret_error);
enum why_verdict why_foresee_rights(const struct why_question *q, const struct why_environment *e,
				    int *ret_error);

/* Asked about what happened, not about now. */
static inline bool why_is_recorded(const struct why_question *q)
{
	return q->error && (q->call != EVENT_CALL_NONE || q->error != EADDRINUSE || q->no_entry);
}

/* What `pd why PORT` asks about when it is given no address; a refused bind did name one. */
static inline bool why_asks_for_any(const struct why_question *q)
{
	return !why_is_recorded(q) && !q->addr_named && q->family == AF_INET6 && !q->v6only &&
	       net_addr_is_wildcard(AF_INET6, &q->addr);
}

#endif
