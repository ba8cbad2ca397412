/* SPDX-License-Identifier: MIT */
/*
 * Who asks for a lock, or gives it up.  Whose a lock is, is never what the body says: it belongs to
 * the process that connected ("owner": "caller") or to the one that started it ("parent"), both as
 * the kernel names them; and to the nearest above that one that lasts, where it was short-lived.
 * The holder is a label for people.
 */
#ifndef API_LOCK_ASKER_H
#define API_LOCK_ASKER_H

#include "base/process.h"
#include "http/request.h"
#include "registry/locks.h"

struct lock_asker {
	bool of_parent;
	const char *cwd;       /* "" = unknown */
	const char *holder;    /* the name that was asked for; NULL = none */
	const char *on_behalf; /* the session or service that the asker works for; NULL = none */
	const char *program;   /* what it runs, where that says more than its own name; or NULL */

	struct process peer, owner;
	/* with of_parent, where the owner may be there for this command only: who lasts above it,
	 * pid 0 = nobody */
	bool short_lived;
	struct process successor;
};

/* Parameters of that: of `of_parent`, and of a name of a holder. */
#define PARAM_LOCK_OWNER(key, type, member) PARAM_ROW(key, lock_owner_read, type, member, bool)
#define PARAM_LOCK_HOLDER(key, type, member) \
	PARAM_ROW(key, lock_holder_read, type, member, const char *)
param_read lock_owner_read, lock_holder_read;

/* Finds the processes, and the directory where none was given.  0, OUTCOME_BAD_REQUEST. */
int lock_asker_find(struct request *r, struct lock_asker *a);

/* The holder's name: what was asked for, else the asker's service, else user and program.
 * 0, negative errno. */
int lock_asker_holder(struct request *r, const struct lock_asker *a, char ret[LOCK_HOLDER_MAX + 1]);

#endif
