/* SPDX-License-Identifier: MIT */
/*
 * Grants: locks that are held.  Each has a watch of its holder's process and a timer for its TTL,
 * and is released when one of them says so.  Whatever is written comes with its entry in the
 * activity.
 */
#ifndef COORDINATION_LOCK_GRANTS_H
#define COORDINATION_LOCK_GRANTS_H

#include <sys/queue.h>

#include "coordination/locks.h"

struct event;
struct lock_grants;
struct process_watch;

struct lock_grant {
	TAILQ_ENTRY(lock_grant) entry;
	struct lock_grants *grants;
	struct lock lock; /* as its row says */
	struct process_watch
		*watch;	      /* NULL by time, or once its process has ended and its run has not */
	struct event *expiry; /* NULL until it has a TTL */
	uint64_t run;	      /* that it lasts as long as; 0 = none */
};

struct lock_grants {
	const struct coordination *c; /* borrowed */
	TAILQ_HEAD(, lock_grant) all;
	/* A lock was released by what watched it: it is free for the next. */
	void (*ended)(struct lock_key key, void *user_data);
	/* A lock could not be released: rows and grants are to be brought to agree later. */
	void (*failed)(void *user_data);
	void *user_data;
};

/* NULL where nobody has the lock, as far as is known here. */
struct lock_grant *lock_grant_find(const struct lock_grants *grants, struct lock_key key);

/* To the end of the second that is stored, never early; INT64_MAX without a TTL. */
int64_t lock_grant_seconds_left(const struct lock *lock);

/* Gives a lock that nobody has; see locks_acquire(). */
int lock_grant_give(struct lock_grants *grants, const struct lock *wanted, struct lock_answer *ret);
/* See locks_follow_run(). */
int lock_grant_follow_run(struct lock_grant *g, uint64_t run);
/* Its process has ended, and its run lives, or is over as well. */
bool lock_grant_is_left(const struct lock_grant *g);
bool lock_grant_run_lives(const struct lock_grant *g);
/* Its run is over: releases it. */
void lock_grant_end_with_run(struct lock_grant *g);

/* Puts its end off; ttl_s 0 = by as much as before.  LOCK_RENEWED, negative errno. */
int lock_grant_renew(struct lock_grant *g, int64_t ttl_s, struct lock_answer *ret);

/*
 * A held row that nobody watches, after a restart or by a person's hand: watches it from now on, or
 * releases it where its time is over or its process has ended.  0, negative errno.
 */
int lock_grant_adopt(struct lock_grants *grants, const struct lock *lock);

/* Releases the row of a lock, granted here or not.  0, negative errno. */
int lock_grant_release(struct lock_grants *grants, const struct lock *lock, const char *details,
		       const struct lock_actor *actor);
/* Releases it because of `why`, and has the next one served.  It is freed in any case. */
void lock_grant_end(struct lock_grant *g, const char *why, const struct lock_actor *actor);
/* The daemon itself, as an actor. */
struct lock_actor lock_actor_daemon(void);

/* Forgets it; the row stays as it is. */
void lock_grant_free(struct lock_grant *g);

#endif
