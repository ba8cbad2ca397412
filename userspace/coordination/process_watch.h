/* SPDX-License-Identifier: MIT */
/*
 * Tells of the end of processes at the moment of it: a pidfd for each in the event loop.  Where a
 * user, or all of them, have more than QUOTA_PROCESS_FDS, or the kernel has no pidfd (before 5.3),
 * the others are looked at every PROCESS_WATCH_POLL_MS, for as long as there are such.
 */
#ifndef COORDINATION_PROCESS_WATCH_H
#define COORDINATION_PROCESS_WATCH_H

#include "base/process.h"

struct event_base;
struct process_watch;
struct quota;
struct process_watcher;

#define PROCESS_WATCH_POLL_MS 1000

/*
 * Ends that are told of in one turn of the loop; those beyond wait for the next.  What is written
 * for each takes some 50 us, and a process may have hundreds of locks.
 */
#define PROCESS_WATCH_TOLD_AT_ONCE 32

/* Both are borrowed and outlive the watcher. */
int process_watcher_new(struct event_base *loop, struct quota *quota, struct process_watcher **ret);
/* Ends all of its watches; their owners do not free them any more. */
void process_watcher_free(struct process_watcher *w);

/* Called once, from the loop; it may free the watch.  `id` is borrowed for the call. */
typedef void (*process_gone)(const struct process_id *id, void *user_data);

/*
 * Begins to watch a process for a user, whose descriptor it is.  0; -ESRCH when it is gone already
 * (a zombie is); -ENOMEM.  One process may be watched more than once.
 */
int process_watch_new(struct process_watcher *w, const struct process_id *id, uid_t uid,
		      process_gone gone, void *user_data, struct process_watch **ret);
void process_watch_free(struct process_watch *watch);

#endif
