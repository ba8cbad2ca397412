/* SPDX-License-Identifier: MIT */
/* What is said of a lock that somebody else has. */
#ifndef COORDINATION_LOCK_WORDS_H
#define COORDINATION_LOCK_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "registry/locks.h"

struct locks;

#define LOCK_WORDS_SIZE 320 /* a holder, a process's name and two durations */

/* "held by myapp:db-init (bash, pid 94120) for 45s, 4m 15s left". */
const char *lock_words_held(const struct lock *lock, int64_t now, char ret[static LOCK_WORDS_SIZE]);

/* Held locks of the name that are not the key's. */
struct lock_namesakes {
	struct lock machine, other; /* one of another user; each counts when it is held */
	size_t n_others;
};

/* 0, negative errno. */
int locks_find_namesakes(struct locks *l, struct lock_key key, struct lock_namesakes *ret);

#endif
