/* SPDX-License-Identifier: MIT */
/* Locks as clients see them. */
#ifndef API_LOCK_VIEW_H
#define API_LOCK_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "coordination/lock_words.h"

struct json_object;
struct locks;

/* A lock with those who wait for it, as its viewer sees it; owned by the caller. */
struct json_object *lock_view(const struct locks *locks, const struct lock *lock, uid_t viewer);

#endif
