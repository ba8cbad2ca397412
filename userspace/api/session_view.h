/* SPDX-License-Identifier: MIT */
/* A session as clients see it. */
#ifndef API_SESSION_VIEW_H
#define API_SESSION_VIEW_H

#include <sys/types.h>

#include "registry/sessions.h"

struct json_object;

/* Its directory only for who may see it.  Owned by the caller. */
struct json_object *session_view(const struct session *s, uid_t viewer);

#endif
