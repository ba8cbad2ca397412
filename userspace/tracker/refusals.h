/* SPDX-License-Identifier: MIT */
/*
 * Refused calls that the kernel reported.  One that is no repetition, and within its user's share,
 * gets an entry in the activity at once, and before long an explanation of that moment.
 *
 *   event ─► refusal_shares ─► activity
 *               one too many: a gap says so     └─► refusal_queue ─► slices ─► registry
 *
 * An explanation takes some milliseconds, and a thousand of them are asked for at once: they are
 * made in slices of REFUSALS_SLICE_MS, behind everything else that the loop has to do.
 */
#ifndef TRACKER_REFUSALS_H
#define TRACKER_REFUSALS_H

#include <stddef.h>
#include <stdint.h>

struct activity_writer;
struct event;
struct event_base;
struct event_source;
struct refusal_filter;
struct inventory;
struct prompts;
struct refusals;

/* What explanations may take of one turn of the loop, in which clients wait. */
#define REFUSALS_SLICE_MS 5
/* The longest that a busy loop puts a slice off: explanations get a tenth of its time. */
#define REFUSALS_WAIT_MAX_MS 50

struct refusals_config {
	struct event_base *loop;
	const struct event_source *source; /* knows what the kernel left out */
	const struct inventory *inventory; /* names whose sockets are in the way */
	struct activity_writer *activity;
	struct prompts *prompts; /* NULL = none */
};

/* Everything in the configuration is borrowed and outlives it.  0, -ENOMEM. */
int refusals_new(const struct refusals_config *config, struct refusals **ret);
/* What still waits stays unexplained.  NULL is allowed. */
void refusals_free(struct refusals *r);

/* Writes down one refused call (EVENT_FAIL); `service` owns its port, NULL without one. */
void refusals_record(struct refusals *r, const struct event *event, const char *service,
		     int64_t now);

/*
 * Explains what is asked for before its turn: the newest of those that wait, as many as the filter
 * takes, for a slice's time and at least one.  How many of them still wait.
 */
size_t refusals_explain_asked(struct refusals *r, const struct refusal_filter *asked);

/* The end: explains what waits, for a second at most, and says what is missing. */
void refusals_finish(struct refusals *r, int64_t now);

#endif
