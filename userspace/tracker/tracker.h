/* SPDX-License-Identifier: MIT */
/*
 * Keeps the registry in step with the kernel: every event changes the table of sockets, every
 * changed port has its claim judged anew, every new status is stored, entered into the activity and
 * reported to the listener.
 *
 *   events ──► inventory ─changed port─► judge ─status─► registry, activity ──► listener
 *
 * Nothing here polls.  Timers exist only while something is pending: a table to settle, a claim
 * that turns stale or expires.
 */
#ifndef TRACKER_TRACKER_H
#define TRACKER_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inventory/inventory.h"
#include "registry/registry.h"
#include "tracker/source.h"

struct activity_writer;
struct event_base;
struct prompts;
struct tracker;
struct tracker_listener;

struct tracker_config {
	struct event_base *loop;
	struct event_source source; /* copied */
	struct inventory *inventory;
	struct registry *registry;
	struct prompts *prompts; /* that hear of refusals; NULL = of none */
};

/* Everything in the configuration is borrowed and outlives the tracker.  0, negative errno. */
int tracker_new(const struct tracker_config *config, struct tracker **ret);
void tracker_free(struct tracker *t);

/* Whom to tell; before tracker_start().  Borrowed; NULL = nobody any more. */
void tracker_set_listener(struct tracker *t, const struct tracker_listener *listener);

/*
 * Reads the whole table, brings every claim up to date, writes down what changed since the last
 * daemon ran, and begins to listen.  0, negative errno.
 */
int tracker_start(struct tracker *t);

/* Writes down the end: the last moment at which the registry is known to be true. */
void tracker_stop(struct tracker *t);

/* Something that whoever looks after the daemon has to know: into its log, and into the activity.
 */
void tracker_tell(struct tracker *t, const char *sentence);

/* Those of the configuration. */
struct prompts *tracker_prompts(struct tracker *t);

/* With what everybody writes into the activity.  Borrowed. */
struct activity_writer *tracker_activity(struct tracker *t);

/*
 * A claim on this port was made, moved or released: brings its status up to date.  That status
 * (enum service_status), -1 when the port has no claim.
 */
int tracker_claim_changed(struct tracker *t, uint16_t port);

/*
 * Somebody who looked at the holders of a claim's port sees another status than is stored.  It is
 * judged anew; while the table is read anew, which shows sockets before their holders, behind that.
 */
void tracker_status_differs(struct tracker *t, uint16_t port);

/* The batch was committed, or undone: then its claims are judged again, for they are as before. */
void tracker_batch_ended(struct tracker *t, bool undone);

/*
 * Applies the events that the kernel has sent by now: an answer is as new as its question, and
 * whoever has just bound a port finds it.
 */
void tracker_catch_up(struct tracker *t);

/*
 * Somebody asks for the history of ports (registry/history.h): writes what is known of it by now.
 * How many holders were too many to be written, since the start.
 */
uint64_t tracker_write_history(struct tracker *t);

/* The machine has slept, or the clock was set: judges what is due by the clock now. */
void tracker_clock_changed(struct tracker *t);

/*
 * Refusals are asked about (the newest `limit` that the filter picks): explains those that still
 * wait for it.  How many had to be left waiting.
 */
size_t tracker_explain_waiting(struct tracker *t, const struct refusal_filter *asked);

#endif
