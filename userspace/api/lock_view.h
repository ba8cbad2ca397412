/* SPDX-License-Identifier: MIT */
/* Locks as clients see them. */
#ifndef API_LOCK_VIEW_H
#define API_LOCK_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "registry/locks.h"

struct json_object;
struct locks;

#define LOCK_WORDS_SIZE 320 /* a holder, a process's name and two durations */

/* A lock with those who wait for it, as its viewer sees it; owned by the caller. */
struct json_object *lock_view(const struct locks *locks, const struct lock *lock, uid_t viewer);

/* "held by myapp:db-init (bash, pid 94120) for 45s, 4m 15s left"; ret holds LOCK_WORDS_SIZE. */
const char *lock_words_held(const struct lock *lock, int64_t now, char *ret);

#endif
