/* SPDX-License-Identifier: MIT */
/*
 * Claims that change by time alone: one that nothing was seen of turns stale, one with a --ttl is
 * released.  One timer, set for the earliest of them, and none while there is none.
 */
#ifndef TRACKER_DEADLINES_H
#define TRACKER_DEADLINES_H

#include <stdint.h>

#include "registry/registry.h"

struct activity_writer;
struct event;
struct event_base;

struct deadlines {
	struct registry *registry;	  /* borrowed */
	struct activity_writer *activity; /* borrowed */
	struct event *timer;
	int64_t next; /* Unix seconds of the timer; INT64_MAX = not set */
	/* Brings the status of the port's claim up to date; what it is now, -1 without a claim. */
	int (*judge)(uint16_t port, int64_t now, void *user_data);
	void *user_data;
};

/* Everything else was filled by the caller.  0, -ENOMEM. */
int deadlines_init(struct deadlines *d, struct event_base *loop);
void deadlines_deinit(struct deadlines *d);

/* When this service, with this status and last seen then, changes by time; INT64_MAX = never. */
int64_t deadlines_of(const struct service *service, enum service_status status, int64_t updated_at);

/*
 * Something falls due at that moment.  A claim that is seen again, or released, leaves its deadline
 * behind: the timer then finds nothing to do, which costs less than asking for the next one at each
 * change.
 */
void deadlines_note(struct deadlines *d, int64_t at_unix, int64_t now);

/* Judges what is due by the clock now, whatever the timer says, and sets that anew. */
void deadlines_look(struct deadlines *d, int64_t now);

/* Asks the registry when the next one is. */
void deadlines_reschedule(struct deadlines *d, int64_t now);

#endif
