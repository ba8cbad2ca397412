/* SPDX-License-Identifier: MIT */
/*
 * The life of locks: who holds one, who waits for it, and what ends it.
 *
 * A lock belongs to a holder's name and to a process.  It ends by a release, at its TTL, or at the
 * end of its process, which a pidfd tells.  What is held is kept in the registry; each held lock
 * has a watch and a timer here.  Whenever a lock is looked at, both are brought to agree: a row
 * that has no watch (after a restart, or written by a person) gets one when its process lives, and
 * is released when it does not.  So every lock is held by a living process or free.
 *
 * Waiters are requests whose answer is held open.  They are served in the order in which they came;
 * one whose client or process has gone leaves the queue.  A grant is answered after its commit; one
 * whose answer its client did not take is taken back at once.
 */
#ifndef API_LOCK_KEEPER_H
#define API_LOCK_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/lock_queue.h"
#include "registry/locks.h"

struct api;
struct lock_keeper;
struct request;

int lock_keeper_new(struct api *api, struct lock_keeper **ret);
/* Before anybody is served: keeps the locks of living processes and releases the others. */
int lock_keeper_start(struct lock_keeper *k);
/* After the http server's end, which ends every waiter, and before that of the process watcher. */
void lock_keeper_free(struct lock_keeper *k);

/* What was written since the last commit is undone: everything is looked at again. */
void lock_keeper_undone(struct lock_keeper *k);
/* The machine has slept, or the clock was set: what is over by now is released and handed on. */
void lock_keeper_clock_changed(struct lock_keeper *k);

/*
 * Grants or renews the lock and fills the request's answer, or keeps the request until that is
 * possible.  0; OUTCOME_CONFLICT (held, or the grant to renew is gone); OUTCOME_TOO_LARGE (a limit
 * here or of the queue); OUTCOME_BAD_REQUEST (the process has ended); negative errno.
 */
int lock_keeper_acquire(struct lock_keeper *k, struct request *r, const struct lock_wish *wish);

/* Ends a held lock, as `look` has shown it, for the request.  0, negative errno. */
int lock_keeper_release(struct lock_keeper *k, struct request *r, const struct lock *lock,
			const char *details, const char *comm);

/* A lock as it is now: 0; OUTCOME_NO when it is not known; negative errno. */
int lock_keeper_look(struct lock_keeper *k, struct lock_key key, struct lock *ret);
/* All of them by name; *ret is the caller's: free().  0, negative errno. */
int lock_keeper_look_all(struct lock_keeper *k, bool held, struct lock **ret, size_t *ret_n);

/* Those who wait for a lock, first come first. */
void lock_keeper_for_each_waiter(const struct lock_keeper *k, struct lock_key key,
				 lock_waiter_visit visit, void *user_data);

#endif
