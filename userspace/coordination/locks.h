/* SPDX-License-Identifier: MIT */
/*
 * The life of locks: who has one, who waits for it, and what ends it.
 *
 * A lock belongs to a holder's name and to a process.  It ends by a release, at its TTL, or at the
 * end of its process, which a pidfd tells, or of the last that descends from that.  One that was
 * taken by a process of a single command is passed on to who had that run.  The registry
 * has a row for each; each that is held has a watch and a timer here.  Whenever a lock is looked
 * at, both are brought to agree: a row that has no watch (after a restart, or written by a person)
 * gets one when its process lives, and is released when it does not.  So every lock is held by a
 * living process or free.
 *
 * Waiters are served in the order in which they came.  Each has a ticket, which ends with the one
 * call that tells what became of it, or when its owner leaves the queue.
 */
#ifndef COORDINATION_LOCKS_H
#define COORDINATION_LOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/quota.h"
#include "coordination/coordination.h"
#include "registry/locks.h"

struct lock_ticket;
struct locks;

#define LOCK_WAIT_FOREVER INT64_MAX
/*
 * A process that asks for a lock and ends within this time has done nothing with it: it was there
 * for that one command, as `sh -c` and timeout are.  Such a lock goes to its successor, for whom it
 * was taken; later than that it ends with its process, whose work it protected.
 */
#define LOCK_SHORT_LIVED_S 2

/* *c is copied.  0, negative errno. */
int locks_new(const struct coordination *c, struct locks **ret);
/* Before anybody asks: keeps the locks of living processes and releases the others. */
int locks_start(struct locks *l);
/* Tickets that are left are not told of anything any more.  NULL is allowed. */
void locks_free(struct locks *l);

/* What was written since the last commit is undone: everything is looked at again. */
void locks_undone(struct locks *l);
/* The machine has slept, or the clock was set: what is over by now is released and handed on. */
void locks_clock_changed(struct locks *l);

/* --- taking one --- */

enum lock_outcome {
	LOCK_GRANTED = 0,
	LOCK_RENEWED,	    /* whoever asks had it already: the same grant, with a new end */
	LOCK_QUEUED,	    /* locks_wait() alone answers so */
	LOCK_HELD,	    /* by somebody else, and the waiting is over, or there was none */
	LOCK_GRANT_IS_OVER, /* the one that was to be renewed */
	LOCK_PROCESS_ENDED, /* the one whose the lock would be */
	LOCK_LIMIT,	    /* a limit of base/quota.h */
};

struct lock_answer {
	/* LOCK_GRANTED, LOCK_RENEWED, LOCK_HELD: as its holder has it; else as it was wanted. */
	struct lock lock;
	struct lock_ticket *ticket; /* LOCK_QUEUED */
	enum quota_kind limit;	    /* LOCK_LIMIT */
	enum quota_outcome excess;  /* … and whose */
};

/*
 * Grants or renews a lock.  wanted: name, owner, holder, uid, process (or by_time, with a TTL) and
 * comm as they are to be; ttl_s 0 = none, or as it is; fence: renew this grant and no other, 0 =
 * any. An enum lock_outcome with *ret filled; negative errno.
 */
int locks_acquire(struct locks *l, const struct lock *wanted, struct lock_answer *ret);

/*
 * Tells what became of a ticket: all but LOCK_QUEUED, or a negative errno.  The ticket is gone, and
 * the answer borrowed for the call.
 */
typedef void (*lock_ticket_end)(int result, const struct lock_answer *answer, void *user_data);

/*
 * Queues for a lock that is held by somebody else, for so many seconds at most; `end` is called
 * later.  LOCK_QUEUED, LOCK_PROCESS_ENDED or LOCK_LIMIT with *ret filled; negative errno.
 */
int locks_wait(struct locks *l, const struct lock *wanted, int64_t wait_s, lock_ticket_end end,
	       void *user_data, struct lock_answer *ret);
/* Ends a ticket whose owner is not there any more; nothing is called. */
void locks_leave(struct lock_ticket *ticket);

/*
 * The grant lasts until its process and all that will descend from it have ended: whoever kills the
 * process does not free the lock for somebody else while the work goes on.  The process has forked
 * nothing yet.  0; -EOPNOTSUPP where the kernel side does not know runs, -E2BIG where it knows too
 * many: then the lock ends with the process; -ESRCH when the grant is gone.
 */
int locks_follow_run(struct locks *l, struct lock_key key, int64_t fence);
/* EVENT_RUN_END. */
void locks_run_ended(struct locks *l, uint64_t run);

/* Nobody took the answer to that grant: it is released, and the next in the queue is served. */
void locks_take_back(struct locks *l, struct lock_key key, int64_t fence);

/* --- giving it away --- */

/* Who did it, for the activity. */
struct lock_actor {
	pid_t pid;
	uid_t uid;
	const char *comm; /* borrowed */
};

/* Releases a held lock, as locks_look() has shown it, and serves the next.  0, negative errno. */
int locks_release(struct locks *l, const struct lock *lock, const char *details,
		  const struct lock_actor *actor);

/* --- looking --- */

/* A lock as it is now: 0; OUTCOME_NO when it is not known; negative errno. */
int locks_look(struct locks *l, struct lock_key key, struct lock *ret);
/* All of them by name, or those that are held; *ret is the caller's: free().  0, negative errno. */
int locks_look_all(struct locks *l, bool held, struct lock **ret, size_t *ret_n);

/* Those who wait for a lock, first come first; `since` in Unix seconds. */
typedef void (*lock_waiter_visit)(const struct lock *wanted, int64_t since, void *user_data);
void locks_for_each_waiter(const struct locks *l, struct lock_key key, lock_waiter_visit visit,
			   void *user_data);

#endif
