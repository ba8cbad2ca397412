/* SPDX-License-Identifier: MIT */
/* Reads the events, applies them to the table, and mends the table where some were lost. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tracker/internal.h"
#include "tracker/listener.h"

/*
 * What one turn of the loop may spend, so that everybody who asks meanwhile has an answer within
 * some 50 ms, whatever somebody floods the daemon with.
 */
#define READ_MS	 5 /* applying events */
#define JUDGE_MS 5 /* judging claims whose processes changed */
/*
 * A table that is read anew rests for ten times as long as that took of the processor: on a machine
 * that is busy the reading waits for its turn as well, and the table is wrong meanwhile.
 */
#define RESYNC_SHARE	10
#define RESYNC_RETRY_MS 1000 /* when it could not be read */
#define NEXT_TURN_MS	1

/*
 * To read on in the table, and to settle it, take some milliseconds of their own each.  A turn of
 * the loop does one of them: between two, whoever asks has an answer.  The loop reads the clock
 * once in a turn.
 */
static bool may_work_long(struct tracker *t)
{
	struct timeval turn;

	if (event_base_gettimeofday_cached(t->config.loop, &turn))
		return true;
	if (evutil_timercmp(&turn, &t->worked, ==))
		return false;
	t->worked = turn;
	return true;
}

/* --- losses --- */

static void tell_loss(struct tracker *t, int64_t now)
{
	char details[TRACKER_DETAILS_SIZE];

	if (t->lost == t->lost_reported)
		return;
	snprintf(details, sizeof(details), "%llu kernel events were lost; the table was read anew",
		 (unsigned long long)(t->lost - t->lost_reported));
	t->lost_reported = t->lost;
	log_warning("%s", details);
	activity_note(&t->activity, ACTIVITY_GAP, details, now);
}

/* For want of memory the table lacks something, as it does where the kernel could not tell of it.
 */
static void note_failure(struct tracker *t, int error)
{
	if (error == -ENOMEM)
		inventory_note_loss(t->config.inventory);
}

static int begin_resync(struct tracker *t, int64_t now)
{
	t->lost = t->config.source.counters(t->config.source.user_data).lost;
	t->resync_took_us = 0;
	return inventory_resync_begin(t->config.inventory, now);
}

/*
 * The claims are judged on the table that was read whole: until then it may show a server that is
 * gone beside the one that has taken its place.
 */
static void go_on_with_resync(struct tracker *t, int64_t now)
{
	struct inventory *inv = t->config.inventory;
	uint64_t began_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
	int r = inventory_is_resyncing(inv) ? 0 : begin_resync(t, now);

	t->deferring = true;
	if (!r)
		r = inventory_resync_go_on(inv, clock_ns(CLOCK_MONOTONIC) + READ_MS * NS_PER_MS,
					   claims_port_found_changed, t);
	t->deferring = false;
	t->resync_took_us += clock_us(CLOCK_THREAD_CPUTIME_ID) - began_us;
	if (inventory_is_resyncing(inv))
		return;
	t->resync_after_ms =
		clock_ms(CLOCK_MONOTONIC) +
		(r ? RESYNC_RETRY_MS
		   : (int64_t)(RESYNC_SHARE * t->resync_took_us * NS_PER_US / NS_PER_MS));
	events_schedule_settle(t);
	if (r)
		log_error("the table of sockets was not read: %s", strerror(-r));
	else
		tell_loss(t, now);
}

/* --- events --- */

struct owner {
	char id[IDENTITY_MAX + 1];
};

static bool copy_id(const struct service *service, void *user_data)
{
	struct owner *owner = user_data;

	snprintf(owner->id, sizeof(owner->id), "%s", service->id);
	return false;
}

/* The service that owns the event's port, or NULL. */
static const char *owner_of(struct tracker *t, const struct event *event, struct owner *owner)
{
	if (!event->port || !claims_may_have_port(t, event->netns, event->port))
		return NULL;
	return registry_service_by_port(t->config.registry, event->port, copy_id, owner)
		       ? NULL
		       : owner->id;
}

void events_schedule_settle(struct tracker *t)
{
	timer_start(t->settle, INVENTORY_SETTLE_MS);
}

/*
 * The kernel's close event knows its socket by the cookie alone; the table, which is about to
 * forget it, knows the rest.
 */
static void complete_close(const struct inventory *inv, struct event *close)
{
	const struct socket_row *row = inventory_by_cookie(inv, close->cookie);

	if (!row)
		return;
	close->inode = row->inode;
	close->netns = row->netns;
	close->protocol = row->protocol;
	close->family = row->family;
	close->addr = row->addr;
	close->port = row->port;
}

static void on_event(const struct event *seen, void *user_data)
{
	struct tracker *t = user_data;
	int64_t now = tracker_now();
	struct event completed;
	const struct event *event = seen;
	struct owner owner;
	const char *service;
	bool settle = false;
	int r;

	if (seen->kind == EVENT_CLOSE) {
		completed = *seen;
		complete_close(t->config.inventory, &completed);
		history_note_close(t->history, seen->cookie, now);
		event = &completed;
	}
	t->deferring = event->kind == EVENT_EXIT || event->kind == EVENT_FORK ||
		       event->kind == EVENT_EXEC;
	r = inventory_apply(t->config.inventory, event, now, claims_port_changed, t, &settle);
	t->deferring = false;
	if (r)
		log_error("an event of pid %d was not applied: %s", event->actor.pid, strerror(-r));
	note_failure(t, r);
	if (settle || t->pending || inventory_launcher_ends_wait(t->config.inventory))
		events_schedule_settle(t);

	service = owner_of(t, event, &owner);
	history_note_event(t->history, event, service, now);
	if (event->kind == EVENT_FAIL)
		refusals_record(t->refusals, event, service, now);
	if (t->activity.listener)
		t->activity.listener->event(event, service, now, t->activity.listener->user_data);
}

/* Reads the table anew, or sets the timer for that, while something of it was missed. */
static void mend_losses(struct tracker *t)
{
	struct inventory *inv = t->config.inventory;
	int64_t wait_ms = t->resync_after_ms - clock_ms(CLOCK_MONOTONIC);

	if (inventory_is_resyncing(inv) || (inventory_is_behind(inv) && wait_ms <= 0)) {
		if (may_work_long(t))
			go_on_with_resync(t, tracker_now());
		wait_ms = inventory_is_resyncing(inv)
				  ? 0
				  : t->resync_after_ms - clock_ms(CLOCK_MONOTONIC);
	}
	if (!inventory_is_resyncing(inv) && !inventory_is_behind(inv)) {
		event_del(t->resync);
		return;
	}
	if (wait_ms < NEXT_TURN_MS)
		wait_ms = NEXT_TURN_MS;
	timer_start(t->resync, wait_ms);
}

void events_on_resync(evutil_socket_t fd, short what, void *user_data)
{
	mend_losses(user_data);
}

static void read_events(struct tracker *t, const struct sentinel_slice *slice)
{
	const struct event_source *source = &t->config.source;
	bool lost = false;
	int r;

	inventory_refresh(t->config.inventory);
	t->ports_fresh = false;
	r = source->dispatch(source->user_data, slice, on_event, t, &lost);
	if (r)
		log_error("kernel events were not read: %s", strerror(-r));
	if (lost)
		inventory_note_loss(t->config.inventory);
	mend_losses(t);
}

void events_read_up_to_now(struct tracker *t, uint64_t budget_ms)
{
	struct sentinel_slice slice = { .budget_ns = budget_ms * NS_PER_MS };
	struct timespec asked;

	clock_gettime(CLOCK_BOOTTIME, &asked);
	slice.until_ns = (uint64_t)asked.tv_sec * 1000000000 + (uint64_t)asked.tv_nsec;
	read_events(t, &slice);
}

/* What is left makes the descriptor readable in the next turn, behind the clients of this one. */
void events_on_readable(evutil_socket_t fd, short what, void *user_data)
{
	static const struct sentinel_slice slice = { .budget_ns = READ_MS * NS_PER_MS };

	read_events(user_data, &slice);
}

/* After everything that was told: a close that waits in the ring needs no explanation. */
void events_on_settle(evutil_socket_t fd, short what, void *user_data)
{
	struct tracker *t = user_data;
	int64_t now = tracker_now(), until_ms;
	bool again = false;
	int r;

	if (!may_work_long(t)) {
		events_schedule_settle(t);
		return;
	}
	events_read_up_to_now(t, EVENTS_CATCH_UP_MS);
	r = inventory_settle(t->config.inventory, now, claims_port_found_changed, t, &again);
	if (r)
		log_error("the table was not settled: %s", strerror(-r));
	note_failure(t, r);
	until_ms = clock_ms(CLOCK_MONOTONIC) + JUDGE_MS;
	left_behind_store(t, until_ms);
	if (!inventory_is_resyncing(t->config.inventory))
		claims_refresh_pending(t, now, until_ms);
	if (again || t->pending || inventory_launcher_ends_wait(t->config.inventory))
		events_schedule_settle(t);
}
