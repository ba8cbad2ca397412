/* SPDX-License-Identifier: MIT */
/*
 * Watches, by inotify, whether the lock file, the socket or a directory above them is removed,
 * replaced or renamed: then others do not find the daemon any more.
 */
#ifndef DAEMON_PLACE_H
#define DAEMON_PLACE_H

#include "daemon/state.h"

struct event_base;
struct place;

/* `why` is the sentence of state_check(). */
typedef void (*place_lost)(const char *why, void *user_data);

/*
 * Watches a state (borrowed) that is locked and listened on; `lost` is called from the loop, at
 * most once.  What was lost before the call counts too.  0; a negative errno when the kernel has no
 * more watches to give.
 */
int place_new(struct event_base *loop, const struct state *s, place_lost lost, void *user_data,
	      struct place **ret);
/* NULL is allowed. */
void place_free(struct place *p);

#endif
