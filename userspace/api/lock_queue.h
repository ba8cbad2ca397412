/* SPDX-License-Identifier: MIT */
/*
 * Who waits for a lock: requests whose answer is held open, in the order in which they came.  One
 * whose client has left, or whose process has ended, leaves the queue by itself; one that has
 * waited long enough is answered with what `expired` makes of it.
 */
#ifndef API_LOCK_QUEUE_H
#define API_LOCK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/locks.h"

struct api;
struct lock_queue;
struct request;

#define LOCK_WAIT_FOREVER INT64_MAX

struct lock_wish {
	/* name, holder, uid, process and comm as they are to be; ttl_s 0: as it is, or none */
	struct lock lock;
	int64_t wait_s;	    /* 0: not at all */
	int64_t renew_only; /* this fence's grant and no other; 0: any */
};

/* Fills the request's answer or error and returns as a handler does. */
typedef int (*lock_queue_expired)(struct request *r, const struct lock_wish *wish, void *user_data);

int lock_queue_new(struct api *api, lock_queue_expired expired, void *user_data,
		   struct lock_queue **ret);
/* After the http server's end, which ends every waiter. */
void lock_queue_free(struct lock_queue *q);

/*
 * Keeps the request at the end of the queue.  0; OUTCOME_TOO_LARGE (QUOTA_LOCK_WAITERS);
 * OUTCOME_BAD_REQUEST when its process has ended; negative errno.
 */
int lock_queue_add(struct lock_queue *q, struct request *r, const struct lock_wish *wish);

/*
 * Offers the lock to each that waits for it, first come, first served.  `turn` returns false for
 * one that has to wait on; else *ret_result is what its request is answered with.
 */
typedef bool (*lock_queue_turn)(struct request *r, const struct lock_wish *wish, int *ret_result,
				void *user_data);
void lock_queue_serve(struct lock_queue *q, struct lock_key key, lock_queue_turn turn,
		      void *user_data);

/* Each that waits for the lock (NULL: for any), in order; `since` in Unix seconds.  `visit` may not
 * end a wait. */
typedef void (*lock_waiter_visit)(const struct lock *wanted, int64_t since, void *user_data);
void lock_queue_for_each(const struct lock_queue *q, const struct lock_key *key,
			 lock_waiter_visit visit, void *user_data);

/* The answer when the process of a wish is not there any more. */
int lock_queue_refuse_ended(struct request *r, const struct lock *wanted);

#endif
