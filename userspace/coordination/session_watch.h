/* SPDX-License-Identifier: MIT */
/*
 * Stalls sessions at the moment when what they stand on is gone: the process by its pidfd, the
 * terminal by the name that vanishes from /dev/pts.
 */
#ifndef COORDINATION_SESSION_WATCH_H
#define COORDINATION_SESSION_WATCH_H

#include "base/process.h"
#include "coordination/coordination.h"

struct session_watches;

int session_watches_new(const struct coordination *c, struct session_watches **ret);
/* NULL is allowed. */
void session_watches_free(struct session_watches *w);

/*
 * Watches the process and terminal of an active session (again, where it was): their end stalls it.
 * What is gone already stalls it at once.  0, negative errno.
 */
int session_watch(struct session_watches *w, const char *id, uid_t uid,
		  const struct process_id *process, const char *tty);
void session_unwatch(struct session_watches *w, const char *id);

/* Watches what the registry has, and nothing else; at once, or some seconds later. */
void session_watches_reload(struct session_watches *w);
void session_watches_reload_later(struct session_watches *w);

#endif
