/* SPDX-License-Identifier: MIT */
/* What the files of the tracker share and nobody else sees: tracker.c is above events.c, and that
 * above claims.c. */
#ifndef TRACKER_INTERNAL_H
#define TRACKER_INTERNAL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/portset.h"
#include "reconcile/status.h"
#include "tracker/activity.h"
#include "tracker/closes.h"
#include "tracker/deadlines.h"
#include "tracker/history.h"
#include "tracker/refusals.h"
#include "tracker/tracker.h"

#define TRACKER_DETAILS_SIZE (STATUS_REASON_SIZE + 64) /* of an entry */

/* Starts a timer that does not run yet. */
static inline void timer_start(struct event *timer, int64_t in_ms)
{
	const struct timeval wait = { .tv_sec = in_ms / 1000, .tv_usec = in_ms % 1000 * 1000 };

	if (!event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &wait);
}

struct tracker {
	struct tracker_config config;
	struct event *readable, *settle, *resync;
	int64_t resync_after_ms; /* CLOCK_MONOTONIC */
	uint64_t resync_took_us; /* of the processor, by the one that is under way */
	struct timeval worked; /* the loop's time of the turn that has had its share of long work */
	struct deadlines deadlines;
	struct closes *closes;
	struct refusals *refusals;
	struct history *history;
	struct activity_writer activity;
	uint64_t lost, lost_reported; /* events: when the last resync began, and as told */
	bool starting;		      /* changes are told as "while no daemon ran" */
	bool ports_fresh;	      /* the registry's, in this turn */
	/* Ports that an exit, a fork or an exec touched: judged once the table has settled, because
	 * the close of the dead process's sockets is about to arrive. */
	bool deferring, pending;
	struct portset pending_ports;
	struct portset touched; /* by tracker_claim_changed(), in the open batch */
};

static inline int64_t tracker_now(void)
{
	return (int64_t)(clock_ns(CLOCK_REALTIME) / NS_PER_S);
}

/* --- claims.c --- */

/*
 * Judges the claim of the port and stores its status where that differs, with the entry.  The
 * status that it has now, -1 without a claim.
 */
int claims_refresh_port(struct tracker *t, uint16_t port, int64_t now);

/* The same for every claim.  0, negative errno. */
int claims_refresh_all(struct tracker *t, int64_t now);

/* The same for the pending ports until that moment (CLOCK_MONOTONIC); the rest stays pending. */
void claims_refresh_pending(struct tracker *t, int64_t now, int64_t until_ms);

/* Rows of the port changed (inventory_changed): refreshes it, or while t->deferring notes it. */
void claims_port_changed(uint32_t netns, uint16_t port, void *tracker);

/* The same where no event told of it: the history is compared with the table, too. */
void claims_port_found_changed(uint32_t netns, uint16_t port, void *tracker);

/* Nearly all events are of ports that nobody claimed: those cost no query. */
bool claims_may_have_port(struct tracker *t, uint32_t netns, uint16_t port);

/* --- left_behind.c --- */

/*
 * Puts the launchers that an earlier daemon saw end into the table, and stores those alone whose
 * servers are still there.
 */
void left_behind_recall(struct tracker *t);

/* Stores the ends that were not stored yet, until that moment (CLOCK_MONOTONIC). */
void left_behind_store(struct tracker *t, int64_t until_ms);

/* --- events.c --- */

#define EVENTS_CATCH_UP_MS 10 /* before an answer: a ring that is full takes about that */

/*
 * Applies what the kernel reported before this call, for at most so long.  An answer is as new as
 * its question: whoever has just bound a port finds it.  What comes in meanwhile is for the next
 * question.  In a flood that fills the ring the bound is a time: then an answer may be that much
 * older.
 */
void events_read_up_to_now(struct tracker *t, uint64_t budget_ms);

/* Calls events_on_settle() before long. */
void events_schedule_settle(struct tracker *t);

/* Callbacks of libevent; user_data is the tracker. */
void events_on_readable(evutil_socket_t fd, short what, void *user_data);
void events_on_resync(evutil_socket_t fd, short what, void *user_data);
void events_on_settle(evutil_socket_t fd, short what, void *user_data);

#endif
