/* SPDX-License-Identifier: MIT */
/* Locks, sessions and what was written into these, as JSON; owned by the caller. */
#ifndef VIEW_COORDINATION_H
#define VIEW_COORDINATION_H

#include "registry/locks.h"
#include "registry/sessions.h"

struct json_object;
struct locks;

/* A lock with those who wait for it. */
struct json_object *view_lock(const struct locks *locks, const struct lock *lock, uid_t viewer);
/* A session, its directory only for who may see that. */
struct json_object *view_session(const struct session *s, uid_t viewer);
struct json_object *view_note(const struct note *note);

#endif
