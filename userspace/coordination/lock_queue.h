/* SPDX-License-Identifier: MIT */
/*
 * Who waits for a lock, in the order in which they came.  One whose process has ended, or who has
 * waited long enough, leaves the queue by itself.
 */
#ifndef COORDINATION_LOCK_QUEUE_H
#define COORDINATION_LOCK_QUEUE_H

#include "coordination/locks.h"

struct lock_queue;

/* What becomes of a ticket, as lock_told wants it. */
typedef int (*lock_queue_answer)(const struct lock *wanted, struct lock_answer *ret,
				 void *user_data);

/* `expired` says what one is told that has waited long enough.  *c is borrowed.  0, -ENOMEM. */
int lock_queue_new(const struct coordination *c, lock_queue_answer expired, void *user_data,
		   struct lock_queue **ret);
/* Who is left is told nothing.  NULL is allowed. */
void lock_queue_free(struct lock_queue *q);

/* See locks_wait(). */
int lock_queue_add(struct lock_queue *q, const struct lock *wanted, int64_t wait_s, lock_told told,
		   void *user_data, struct lock_answer *ret);
void lock_queue_remove(struct lock_ticket *t);

/*
 * Offers the lock to each that waits for it, first come, first served: one for whom `turn` says
 * LOCK_HELD waits on.
 */
void lock_queue_serve(struct lock_queue *q, struct lock_key key, lock_queue_answer turn,
		      void *user_data);

/* Each that waits for the lock (NULL: for any), in order.  `visit` may not end a wait. */
void lock_queue_for_each(const struct lock_queue *q, const struct lock_key *key,
			 lock_waiter_visit visit, void *user_data);

#endif
