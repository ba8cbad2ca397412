/* SPDX-License-Identifier: MIT */
/* A thread that makes calls which wait, for the disk, while the loop goes on: one at a time. */
#ifndef HTTP_WORKER_H
#define HTTP_WORKER_H

#include <stdbool.h>

struct event_base;
struct worker;

/* In the thread.  Its result goes to `done`, in the loop. */
typedef int (*worker_call)(void *user_data);
typedef void (*worker_done)(int result, void *user_data);

/* 0, negative errno. */
int worker_new(struct event_base *loop, worker_call call, worker_done done, void *user_data,
	       struct worker **ret);
/* Waits for a call that is being made; of that, nobody is told.  NULL is allowed. */
void worker_free(struct worker *w);

/* Has the call made; it must not be busy. */
void worker_start(struct worker *w);
/* From worker_start() until `done` is called. */
bool worker_is_busy(const struct worker *w);
/* Waits for the call that is being made, if one is, and tells of it. */
void worker_wait(struct worker *w);

#endif
