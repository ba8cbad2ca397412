/* SPDX-License-Identifier: MIT */
/*
 * The one place where a claim is judged against the sockets of its port, and a socket against the
 * claims: reconcile/ has the rule, this gathers what it is asked about.
 */
#ifndef TRACKER_JUDGE_H
#define TRACKER_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "inventory/inventory.h"
#include "reconcile/status.h"
#include "registry/registry.h"

/* How much is done to know the sockets before the rule is asked. */
enum judge_effort {
	/*
	 * The table as the events left it, of a port with very many sockets the first 64: no system
	 * call, no allocation, and no event costs more because others came before it.
	 */
	JUDGE_TABLE,
	/* All sockets, after each of their holders was looked at: for whoever asks. */
	JUDGE_VERIFIED,
};

/* What a claim is, and who makes it so; borrowed from the inventory until that changes. */
struct judgement {
	struct status_verdict verdict;
	/* Of its serving sockets, with JUDGE_VERIFIED only; the caller's: free(). */
	struct holding *holdings;
	size_t n_holdings;
};

/* 0, negative errno. */
int judge_claim(struct inventory *inv, const struct service *claim, int64_t now,
		enum judge_effort effort, struct judgement *ret);

/* The status as people are shown it: "ending" where a killed holder is still being torn down. */
#define JUDGE_STATUS_ENDING "ending"
const char *judge_status_name(const struct status_verdict *verdict);

/*
 * What the port that a claim has is good for: PORT_TAKEN where a socket of somebody who does not
 * fit it is bound there, listening or not, and none of its own; PORT_SERVED where one of its own
 * is. 0, negative errno.
 */
int judge_port_use(struct inventory *inv, const struct service *claim, enum port_use *ret);

/*
 * 1 where a socket of somebody who does not fit the claim is bound on its port, listening or not,
 * whoever else has one there; *ret is about that one then.  0; negative errno.
 */
int judge_port_stranger(struct inventory *inv, const struct service *claim,
			struct status_verdict *ret);

/*
 * Is the server stopped, as by Ctrl-Z?  The kernel accepts for it, and nobody answers.  Where
 * several accept on the socket, one that runs answers for the others.
 */
bool judge_is_stopped(const struct status_verdict *verdict);
/* "node (4711) is stopped, as by Ctrl-Z; it goes on with fg, or kill -CONT 4711" */
void judge_stopped_words(const struct inventory *inv, const struct process_id *server, char *ret,
			 size_t size);

/*
 * Who holds the sockets of a port of the own namespace, each looked at now, serving or not; *ret is
 * the caller's: free(), and borrows from the inventory until that changes.  0, negative errno.
 */
int judge_holdings(struct inventory *inv, uint16_t port, struct holding **ret, size_t *ret_n);

/* The status of one socket on the port of a claim, which serves, as judge_status_name() has it. */
const char *judge_socket_of_claim(struct inventory *inv, const struct service *claim,
				  const struct socket_row *row);

/* As status_warning(). */
bool judge_warning(const struct inventory *inv, const struct status_verdict *verdict,
		   char ret[STATUS_WARNING_SIZE]);

/* The enum orphan_reason of a row on whose port there is no claim.  Negative errno. */
int judge_unclaimed(const struct inventory *inv, struct registry *registry,
		    const struct socket_row *row);

/* The same of any row: ORPHAN_NOT where the port has a claim.  Negative errno. */
int judge_socket(const struct inventory *inv, struct registry *registry,
		 const struct socket_row *row);

/* How many orphan rows the own namespace has.  0, negative errno. */
int judge_count_orphans(const struct inventory *inv, struct registry *registry, int64_t *ret);

#endif
