/* SPDX-License-Identifier: MIT */
/*
 * Who asks for a lock, or gives it up.  A lock belongs to the process that asks or to the one that
 * started it, both as the kernel names them, and to the nearest above that one that lasts, where it
 * was short-lived.  The holder is a label for people.
 */
#ifndef COORDINATION_LOCK_ASKER_H
#define COORDINATION_LOCK_ASKER_H

#include "base/process.h"
#include "registry/locks.h"

struct registry;

struct lock_asker {
	uid_t uid;
	bool of_parent;	       /* the lock is of the process that started the one that asks */
	const char *cwd;       /* NULL = its own; "" = unknown */
	const char *holder;    /* the name that was asked for; NULL = none */
	const char *on_behalf; /* the session or service that the asker works for; NULL = none */
	const char *program;   /* what it runs, where that says more than its own name; or NULL */

	struct process peer, owner;
	/* with of_parent, where the owner may be there for this command only: who lasts above it,
	 * pid 0 = nobody */
	bool short_lived;
	struct process successor;
	char name[LOCK_HOLDER_MAX + 1]; /* the holder's */
};

enum lock_asker_outcome {
	LOCK_ASKER_FOUND = 0,
	LOCK_ASKER_UNSEEN, /* it has ended, or lives in a pid namespace that is not below ours */
	LOCK_ASKER_PARENT_ENDED, /* who started it has, and nobody would hold the lock */
};

/*
 * Fills in the processes, the directory where none was given, and the holder's name: what was asked
 * for, else the asker's service, else user and program.  An enum lock_asker_outcome; negative
 * errno.
 */
int lock_asker_find(struct lock_asker *a, struct registry *registry, pid_t pid);

/*
 * May it give that lock up?  Who names a holder means that one.  Else the process that holds the
 * lock speaks for it, whoever it has started, and whoever works on behalf of its holder.
 */
bool lock_asker_has(const struct lock_asker *a, const struct lock *lock);

#endif
