/* SPDX-License-Identifier: MIT */
/*
 * What is shown of a claim, and of a listener that no claim accounts for, as they are now: all of
 * it is gathered here, so that whoever writes it asks nobody.
 */
#ifndef TRACKER_FOUND_CLAIM_H
#define TRACKER_FOUND_CLAIM_H

#include "explain/two_servers.h"
#include "tracker/judge.h"

struct found_claim {
	const struct service *service; /* borrowed */
	struct judgement now;
	char process[PROCESS_COMM_SIZE]; /* that decided the status, else holds it; "" = nobody */
	uint16_t asked_port; /* in the source of the program that its run gives it; 0 = the same */
	bool unattended; /* the pd of its run was killed: nobody ends by itself what that left */
	bool stopped;	 /* its server is there, and does nothing */
	char warning[TWO_SERVERS_WARNING_SIZE]; /* "" = of nothing */
};

/*
 * Judges the claim.  `status`, as judge_status_name() has it: of a claim with another one nothing
 * more is looked for, and the answer is OUTCOME_NO; NULL = any.  *ret borrows from the inventory
 * until that changes, and is to be deinitialised in any case.  0, negative errno.
 */
int found_claim_read(struct inventory *inv, const struct service *claim, int64_t now,
		     const char *status, struct found_claim *ret);
void found_claim_deinit(struct found_claim *c);

struct found_orphan {
	const struct socket_row *row; /* borrowed */
	enum orphan_reason reason;
	char process[PROCESS_COMM_SIZE]; /* the oldest holder; "" = nobody */
	const char *warning;		 /* of the struct port_warning; NULL = of nothing */
};

/* OUTCOME_NO where the row is no orphan.  `warning` is that of the row before, and kept for the
 * next.  0, negative errno. */
int found_orphan_read(const struct inventory *inv, struct registry *registry,
		      const struct socket_row *row, struct port_warning *warning,
		      struct found_orphan *ret);

#endif
