/* SPDX-License-Identifier: MIT */
/*
 * Locks as they are stored.  A lock that is free keeps its row without a holder, so that people see
 * which locks there are.  Who may hold one, and when it ends, is decided elsewhere: this file keeps
 * what was decided, and hands out the fencing numbers.
 *
 * Every grant has a fencing number that is greater than that of every grant before it, of any lock,
 * also after a restart.  A renewal keeps its number.
 *
 * Names belong to users: two of them may each hold a lock of one name, and the machine has one of
 * that name for everybody besides.  In the database the first of them has the bare name, the others
 * NAME@UID, and the machine's NAME@*.  By number: a user may be renamed while a lock is held.
 *
 * A row that a person wrote by hand is skipped when its name is not legal; a holder that is no text
 * is repaired, every other value that does not fit its type reads as unknown.
 */
#ifndef REGISTRY_LOCKS_H
#define REGISTRY_LOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/identity.h"
#include "base/process.h"

struct registry;

#define LOCK_HOLDER_MAX IDENTITY_MAX /* bytes of a holder's name, without the NUL */
#define LOCK_OF_MACHINE ((uid_t)-1)  /* instead of the user whose a name is */

/*
 * Which lock it is.  It is passed by value: who asks for a lock by the name inside of a
 * grant or of a ticket would keep a pointer into what the answer may free.
 */
struct lock_key {
	char name[LOCK_NAME_MAX + 1];
	uid_t owner; /* whose name it is; LOCK_OF_MACHINE */
};

/* A copy: nothing in it is borrowed. */
struct lock {
	char name[LOCK_NAME_MAX + 1];	  /* without its owner */
	uid_t owner;			  /* whose name it is; LOCK_OF_MACHINE */
	char holder[LOCK_HOLDER_MAX + 1]; /* "" = free; then only name and released_at count */
	int64_t acquired_at;
	int64_t ttl_s;	     /* 0 = none */
	int64_t expires_at;  /* 0 = never */
	int64_t released_at; /* 0 = never */
	int64_t fence;
	uid_t uid;		   /* who holds it */
	struct process_id process; /* that it ends with; pid 0 = unknown, or of an earlier boot */
	bool by_time;		   /* with no process, only at its TTL */
	char comm[4 * PROCESS_COMM_SIZE]; /* as UTF-8 */
	/*
	 * Who has it next, where its process turns out to have been short-lived; pid 0: nobody, but
	 * for its TTL.  Not stored.
	 */
	struct process_id successor;
	char successor_comm[4 * PROCESS_COMM_SIZE];
	bool short_lived; /* its process may be: the successor counts */
};

/*
 * So long a free lock stays listed, and QUOTA_LOCKS_KEPT of them: a day of work, after which a name
 * that nobody took again says nothing to anybody.
 */
#define LOCKS_FREE_KEEP_S 86400
/* Is it free, and was given back before that? */
bool lock_has_aged_out(const struct lock *lock, int64_t now);

struct lock_key lock_key_of(const struct lock *lock);
/* The name must be a legal one. */
struct lock_key lock_key_make(const char *name, uid_t owner);
bool lock_has_key(const struct lock *lock, struct lock_key key);

static inline bool lock_is_held(const struct lock *lock)
{
	return lock->holder[0] != '\0';
}

/* 0; OUTCOME_NO when it was never used, or was forgotten; negative errno. */
int registry_lock_load(struct registry *r, struct lock_key key, struct lock *ret);

/*
 * All of them in order of name (held: only those that are held).  *ret is the caller's: free().
 * 0, negative errno.
 */
int registry_locks_load(struct registry *r, bool held, struct lock **ret, size_t *ret_n);

/*
 * Stores the lock as held, whatever it was, with a new fencing number, which is filled in.
 * 0, negative errno.
 */
int registry_lock_grant(struct registry *r, struct lock *lock);

/* Stores TTL, end and process of a held lock; 0, OUTCOME_NO when it is not held with that fence. */
int registry_lock_renew(struct registry *r, const struct lock *lock);

/*
 * Stores that the lock is free since `now`, and forgets the longest free of whoever has most beyond
 * QUOTA_LOCKS_KEPT.
 * 0; OUTCOME_NO when it is not held with that fence; negative errno.
 */
int registry_lock_release(struct registry *r, struct lock_key key, int64_t fence, int64_t now);

#endif
