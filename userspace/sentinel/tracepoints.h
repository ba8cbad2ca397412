/* SPDX-License-Identifier: MIT */
/*
 * The tracepoints of system calls, opened as perf events.  The kernel waits out a grace period for
 * the first of them, 20 ms and more: they are opened by a thread of their own while the programs
 * that belong to them are verified.  Private to the room.
 */
#ifndef SENTINEL_TRACEPOINTS_H
#define SENTINEL_TRACEPOINTS_H

#include <pthread.h>
#include <stdbool.h>

enum tracepoint {
	TRACEPOINT_NONE = 0,
	TRACEPOINT_ENTER_BIND,
	TRACEPOINT_EXIT_BIND,
	TRACEPOINT_ENTER_LISTEN,
	TRACEPOINT_EXIT_LISTEN,
	_TRACEPOINT_MAX
};

struct tracepoints {
	int fds[_TRACEPOINT_MAX]; /* negative errno: could not be opened */
	int tracefs;		  /* negative errno: is not mounted, and may not be */
	pthread_t thread;
	bool is_opening;
};

/* Mounts tracefs where it has to be, and begins; nothing of it where they are not `wanted`.  To be
 * followed by tracepoints_close(). */
void tracepoints_start_opening(struct tracepoints *t, bool wanted);

/* Waits until all of them were tried. */
void tracepoints_await(struct tracepoints *t);

/* The descriptor, which is then the caller's; negative errno.  After tracepoints_await(). */
int tracepoints_take(struct tracepoints *t, enum tracepoint which);

/* Waits, and closes what was not taken. */
void tracepoints_close(struct tracepoints *t);

#endif
