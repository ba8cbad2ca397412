/* SPDX-License-Identifier: MIT */
/*
 * Servers that close their socket and listen again at once: to try whether the port is free on each
 * address, as vite does before it serves, or to bind it with other options.  The status follows
 * every step.  In the activity, which people read, a pair that undoes itself would hide what
 * matters: that a service became a ghost is written at once where its process has ended, and where
 * that runs on a moment later, unless the same process listens again by then.
 */
#ifndef TRACKER_CLOSES_H
#define TRACKER_CLOSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/process.h"
#include "registry/registry.h"

#define CLOSES_MOMENT_MS 1000 /* a program that binds anew takes milliseconds, a person seconds */

struct activity_writer;
struct closes;
struct event_base;

/* The writer is borrowed.  0, -ENOMEM. */
int closes_new(struct event_base *loop, struct activity_writer *activity, struct closes **ret);
/* NULL is allowed; what waits is not written. */
void closes_free(struct closes *c);

/* The service on the port is active by that process.  True when that undoes a close of its own,
 * which was not written: this is not to be written either. */
bool closes_undone(struct closes *c, uint16_t port, const struct process_id *process);

/* The service of the entry is a ghost.  True when the entry, which is copied, waits. */
bool closes_wait(struct closes *c, const struct activity *entry);

/* Writes what waits: of the port, before another entry of it; of all, where the daemon stops. */
void closes_write(struct closes *c, uint16_t port);
void closes_write_all(struct closes *c);

#endif
