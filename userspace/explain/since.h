/* SPDX-License-Identifier: MIT */
/*
 * What has become of a refusal since: somebody who reads of it later must not end a process that
 * has got the pid of one that is gone, nor wait for a port that is free.  So what can be done is
 * found out anew, by the same question, asked now.
 */
#ifndef EXPLAIN_SINCE_H
#define EXPLAIN_SINCE_H

#include "explain/explain.h"

enum why_since {
	WHY_SINCE_UNKNOWN = 0, /* its namespace cannot be looked into any more */
	WHY_SINCE_HELD,	       /* who was in the way still is */
	WHY_SINCE_MOVED,       /* that one has gone, and somebody else is in the way */
	WHY_SINCE_FREE,
};

/* The contract's word; NULL for WHY_SINCE_UNKNOWN. */
const char *why_since_name(enum why_since since);

#define WHY_PAST_MAX 64 /* holders or sockets of a stored refusal; more of them nobody kept */

/* The refusal as it was explained. */
struct why_past {
	enum why_verdict verdict;
	struct process_id caller;
	struct process_id holders[WHY_PAST_MAX];
	size_t n_holders;		/* 0: nobody was found, or nobody was looked for */
	uint64_t sockets[WHY_PAST_MAX]; /* the cookies of those that were in the way */
	size_t n_sockets;
	uint16_t protocol;
	char addr[NET_ADDR_STR_SIZE]; /* that was asked for */
	bool by_program;	      /* which answered: nothing was in the way of the port */
	uint32_t netns;
	uint64_t netns_cookie; /* 0 = not known */
};

/*
 * Asks f->question, which was refused then, of now: of *f, which is zero else, question, caller,
 * viewer and now are set.  Fills *f as explain_port() does, but the remedies: of who is still there
 * those of what happened; when the port is free, what keeps it from happening again.  *ret_by: the
 * holder that is in the way now, one of f->holders; NULL = nobody, or nobody is known.
 * 0, negative errno; *f is to be deinitialised in any case.
 */
int explain_since(struct explainer *x, const struct why_past *past, struct why_facts *f,
		  enum why_since *ret, const struct why_holder **ret_by);

/* " It is gone, and the port is free now.", to stand behind what was said then; "" where nothing is
 * known. */
#define WHY_SINCE_SIZE 128
void why_say_since(enum why_since since, const struct why_holder *by,
		   char ret[static WHY_SINCE_SIZE]);

#endif
