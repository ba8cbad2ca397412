/* SPDX-License-Identifier: MIT */
/*
 * Launchers that ended and left a server behind, as they are stored: how one ended is told once,
 * and a daemon that comes later reads it here.  A row for each such server that lives, known by its
 * process, so there are never more of them than processes with sockets; that of a server whose own
 * end was missed goes at the next start.  Rules as in registry.h.
 */
#ifndef REGISTRY_LAUNCHERS_H
#define REGISTRY_LAUNCHERS_H

#include "base/process.h"

struct registry;

/* Stores it in place of the one before.  0, negative errno. */
int registry_launcher_store(struct registry *r, const struct process_id *server,
			    const struct process_ancestor *launcher);
/* Also where there is none. */
int registry_launcher_remove(struct registry *r, const struct process_id *server);
int registry_launchers_clear(struct registry *r);

/*
 * Calls visit with those of this boot; whether the server is still there is for the caller to see.
 * The launcher's session is that of the server, and not filled in.  0, negative errno.
 */
typedef void (*launcher_visit)(const struct process_id *server,
			       const struct process_ancestor *launcher, void *user_data);
int registry_for_each_launcher(struct registry *r, launcher_visit visit, void *user_data);

#endif
