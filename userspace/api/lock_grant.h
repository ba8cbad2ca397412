/* SPDX-License-Identifier: MIT */
/*
 * The grant of a free lock and its renewal: written, and answered after the commit.  A grant whose
 * answer its client did not take is taken back at once.
 */
#ifndef API_LOCK_GRANT_H
#define API_LOCK_GRANT_H

#include "api/lock_hold.h"
#include "api/lock_queue.h"

struct lock_deliveries;
struct request;

struct lock_grants {
	struct lock_holds *holds; /* borrowed */
	struct lock_deliveries *deliveries;
};

/*
 * Gives a lock that nobody holds, and fills the request's answer.  0; OUTCOME_TOO_LARGE
 * (QUOTA_LOCKS_HELD);
 * OUTCOME_BAD_REQUEST (the process has ended); negative errno.
 */
int lock_grant_give(struct lock_grants *grants, struct request *r, const struct lock_wish *wish);

/* Puts the end of a held lock off; ttl_s 0 = by as much as before.  0, negative errno. */
int lock_grant_renew(struct lock_grants *grants, struct request *r, struct lock_hold *h,
		     int64_t ttl_s);

#endif
