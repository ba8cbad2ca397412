/* SPDX-License-Identifier: MIT */
/* What the audit trail says of locks: who took one, and how it ended. */
#ifndef API_LOCK_JOURNAL_H
#define API_LOCK_JOURNAL_H

#include <sys/types.h>

#include "registry/locks.h"
#include "registry/registry.h"

struct api;

#define LOCK_DETAILS_SIZE 512

/* Who did it. */
struct lock_actor {
	pid_t pid;
	uid_t uid;
	const char *comm; /* borrowed */
};

struct lock_actor lock_actor_of(const struct lock *lock); /* its holder's process */
struct lock_actor lock_actor_daemon(void);

/* Writes an entry into the open batch.  0, negative errno. */
int lock_journal_add(struct api *api, enum activity_action action, const char *name,
		     const char *details, const struct lock_actor *actor);
/* The entry of a lock that its holder has just got.  0, negative errno. */
int lock_journal_grant(struct api *api, const struct lock *lock);

/* "Released: it has ended; was held by web for 2m"; ret holds LOCK_DETAILS_SIZE. */
void lock_journal_words_of_end(const struct lock *lock, const char *why, char *ret);

#endif
