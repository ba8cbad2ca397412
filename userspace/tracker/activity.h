/* SPDX-License-Identifier: MIT */
/*
 * The only writer of the activity, which `pd log` shows: every entry, whoever makes it, is
 * part of the open batch, is told to the listener, and now and then the oldest entries go.
 */
#ifndef TRACKER_ACTIVITY_H
#define TRACKER_ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/registry.h"

struct event;
struct event_base;
struct tracker_listener;

struct activity_writer {
	struct registry *registry;		 /* borrowed */
	const struct tracker_listener *listener; /* borrowed; NULL = nobody */
	struct event *prune;			 /* pending: old entries are dropped next */
	unsigned entries_since_prune;
	int64_t alive_marked; /* Unix seconds */
};

/* Everything is borrowed and outlives the writer.  0, -ENOMEM. */
int activity_init(struct activity_writer *w, struct event_base *loop, struct registry *registry);
/* What is all zeroes may be given, too. */
void activity_deinit(struct activity_writer *w);

/*
 * Writes the entry, of which the id is not read, into the batch, which it opens where there is
 * none. comm may have any bytes.  0; a negative errno, and then nobody was told of it.
 */
int activity_write(struct activity_writer *w, const struct activity *entry);

/* The same where there is nobody to return a failure to: it is logged. */
void activity_write_or_log(struct activity_writer *w, const struct activity *entry);

/* An entry about the daemon itself. */
void activity_note(struct activity_writer *w, enum activity_action action, const char *details,
		   int64_t now);

/* Something else was written into the batch (tracker_listener.commit_due). */
void activity_commit_due(const struct activity_writer *w, bool somebody_waits);

/* Drops everything that is beyond the limits, as after a start with lower ones.  0, -errno. */
int activity_prune_all(struct registry *registry, int64_t now);

#endif
