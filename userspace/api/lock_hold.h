/* SPDX-License-Identifier: MIT */
/*
 * Held locks: each has a watch of its holder's process and a timer for its TTL, and is released
 * when one of them says so.
 */
#ifndef API_LOCK_HOLD_H
#define API_LOCK_HOLD_H

#include <sys/queue.h>

#include "api/lock_journal.h"

struct event;
struct lock_holds;
struct process_watch;

struct lock_hold {
	TAILQ_ENTRY(lock_hold) entry;
	struct lock_holds *holds;
	struct lock lock; /* as its row says */
	struct process_watch *watch;
	struct event *expiry; /* NULL until it has a TTL */
};

struct lock_holds {
	struct api *api; /* borrowed */
	TAILQ_HEAD(, lock_hold) all;
	/* A lock was released by what watched it: it is free for the next. */
	void (*ended)(struct lock_key key, void *user_data);
	/* A lock could not be released: rows and holds are to be brought to agree later. */
	void (*failed)(void *user_data);
	void *user_data;
};

/* NULL where nobody holds the lock, as far as is known here. */
struct lock_hold *lock_hold_find(const struct lock_holds *holds, struct lock_key key);

/* Watches a lock from now on.  0; -ESRCH when its process has ended; -ENOMEM. */
int lock_hold_new(struct lock_holds *holds, const struct lock *lock, int64_t expires_in_s,
		  struct lock_hold **ret);
/* The row stays as it is. */
void lock_hold_free(struct lock_hold *h);

/* As h->lock.ttl_s says: in so many seconds, or never.  0, -ENOMEM. */
int lock_hold_set_expiry(struct lock_hold *h, int64_t in_s);

/* Releases the row of a lock, held here or not, and writes an entry.  0, negative errno. */
int lock_hold_release(struct lock_holds *holds, const struct lock *lock, const char *details,
		      const struct lock_actor *actor);
/* Releases a hold whose time has come, and serves the next.  The hold is freed in any case. */
void lock_hold_end(struct lock_hold *h, const char *details, const struct lock_actor *actor);

#endif
