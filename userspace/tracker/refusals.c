/* SPDX-License-Identifier: MIT */
#include "tracker/refusals.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/quota.h"
#include "explain/brief.h"
#include "explain/refusal.h"
#include "tracker/internal.h"
#include "tracker/listener.h"
#include "tracker/prompts.h"
#include "tracker/refusal_queue.h"
#include "tracker/refusal_shares.h"
#include "tracker/source.h"

#define GAP_SIZE      256
#define GAP_EVERY_S   1 /* one that lasts is told of again, and is no flood of its own */
#define FINISH_MAX_MS 1000

struct refusals {
	struct refusals_config config;
	struct quota *quota;
	struct refusal_shares *shares;
	struct refusal_queue *queue;
	struct event *slice;  /* low priority, without a wait: when the rest of a turn is done */
	struct event *latest; /* middle priority, REFUSALS_WAIT_MAX_MS */
	uint64_t unexplained; /* dropped while they waited */
	uint64_t dropped_reported, unexplained_reported;
	int64_t gap_noted;
};

/*
 * What waits: the evidence, and its place among the rows.  Where the table cannot tell who was in
 * the way, the entry in the activity waits, too: the explanation finds that out.
 */
struct waiting {
	struct refusal *evidence;
	int64_t id;
	bool untold;
	unsigned repeated;
};

static void free_waiting(struct waiting *w)
{
	refusal_free(w->evidence);
	free(w);
}

/* --- what is missing ------------------------------------------------------------------------- */

static void note_gap(struct refusals *r, const char *words, uint64_t n, int64_t now)
{
	char details[GAP_SIZE];

	snprintf(details, sizeof(details), "%" PRIu64 " refused calls were not %s", n, words);
	log_warning("%s", details);
	activity_note(r->config.activity, ACTIVITY_GAP, details, now);
}

static void note_missing(struct refusals *r, int64_t now)
{
	const struct event_source *source = r->config.source;
	uint64_t dropped = refusal_shares_dropped(r->shares) +
			   source->counters(source->user_data).left_out;
	char words[GAP_SIZE];

	if (dropped != r->dropped_reported) {
		snprintf(words, sizeof(words),
			 "written down: more than %" PRIu32 " a second came for long",
			 quota_limit(QUOTA_REFUSALS)->per_user_s);
		note_gap(r, words, dropped - r->dropped_reported, now);
		r->dropped_reported = dropped;
	}
	if (r->unexplained != r->unexplained_reported) {
		note_gap(r, "explained: more of them waited than there is room for",
			 r->unexplained - r->unexplained_reported, now);
		r->unexplained_reported = r->unexplained;
	}
	r->gap_noted = now;
}

/* --- telling --------------------------------------------------------------------------------- */

/* obstacle: NULL where nobody was in the way. */
static void tell(struct refusals *r, const struct event *event, const char *service,
		 const struct why_obstacle *obstacle, int64_t at)
{
	const struct tracker_listener *listener = r->config.activity->listener;

	if (listener)
		listener->refused(event, service, obstacle, at, listener->user_data);
}

static void write_entry(struct refusals *r, const struct event *event, const char *service,
			const struct why_obstacle *obstacle, unsigned repeated, int64_t at)
{
	char details[WHY_DETAILS_SIZE], addr[NET_ADDR_STR_SIZE];

	why_describe_refusal(event, obstacle, repeated, details);
	activity_write_or_log(r->config.activity,
			      &(struct activity){
				      .action = ACTIVITY_FAIL,
				      .service = service ? service : "",
				      .details = details,
				      .timestamp = at,
				      .port = event->port,
				      .pid = event->actor.pid,
				      .uid = event->uid,
				      .comm = event->comm,
				      .error = event->error,
				      .call = event->call == EVENT_CALL_LISTEN ? "listen" : "bind",
				      .addr = net_addr_format(event->family, &event->addr, addr),
			      });
	tell(r, event, service, obstacle, at);
}

/* The entry of one that waited for its explanation. */
static void write_late_entry(struct refusals *r, struct waiting *w,
			     const struct why_obstacle *obstacle)
{
	if (w->untold)
		write_entry(r, refusal_event(w->evidence), refusal_service(w->evidence), obstacle,
			    w->repeated, refusal_at(w->evidence));
	w->untold = false;
}

/* Without an explanation, what the table tells has to do. */
static void write_entry_by_table(struct refusals *r, struct waiting *w)
{
	struct why_obstacle obstacle;
	bool found = why_in_the_way(refusal_event(w->evidence), r->config.inventory, &obstacle);

	write_late_entry(r, w, found ? &obstacle : NULL);
}

static void on_drop(void *waiting, void *user_data)
{
	struct refusals *r = user_data;

	r->unexplained++;
	write_entry_by_table(r, waiting);
	free_waiting(waiting);
}

/* --- explaining ------------------------------------------------------------------------------ */

static int store(struct refusals *r, const struct waiting *w, const char *explanation)
{
	const struct event *event = refusal_event(w->evidence);
	struct registry *registry = r->config.activity->registry;
	int error = registry_begin(registry);

	if (error)
		return error;
	return registry_record_refusal(registry,
				       &(struct refusal_record){
					       .id = w->id,
					       .at = refusal_at(w->evidence),
					       .caller = event->actor,
					       .uid = event->uid,
					       .comm = event->comm,
					       .port = event->port,
					       .error = event->error,
					       .explanation = explanation,
				       },
				       NULL);
}

/* Consumes it.  Without an explanation the entry in the activity stands alone. */
static void explain(struct refusals *r, struct waiting *w)
{
	const struct event *event = refusal_event(w->evidence);
	const struct tracker_listener *listener = r->config.activity->listener;
	_cleanup_free_ char *explanation = NULL;
	struct why_obstacle obstacle;
	bool found = false;
	int error = listener ? listener->explain(w->evidence, &explanation, &obstacle, &found,
						 listener->user_data)
			     : -ENOTCONN;

	if (error) {
		write_entry_by_table(r, w);
	} else {
		write_late_entry(r, w, found ? &obstacle : NULL);
		error = store(r, w, explanation);
	}
	if (error)
		log_error("why pid %d was refused port %u was not written down: %s",
			  event->actor.pid, event->port,
			  registry_strerror(r->config.activity->registry, error));
	else
		activity_commit_due(r->config.activity, false);
	free_waiting(w);
}

static void schedule(struct refusals *r)
{
	if (!refusal_queue_count(r->queue))
		return;
	timer_start(r->slice, 0);
	timer_start(r->latest, REFUSALS_WAIT_MAX_MS);
}

static void explain_for(struct refusals *r, int64_t ms)
{
	int64_t end = clock_ms(CLOCK_MONOTONIC) + ms;
	struct waiting *w;

	do {
		w = refusal_queue_take(r->queue);
		if (w)
			explain(r, w);
	} while (w && clock_ms(CLOCK_MONOTONIC) < end);
}

static void on_slice(evutil_socket_t fd, short what, void *user_data)
{
	struct refusals *r = user_data;

	event_del(r->latest);
	explain_for(r, REFUSALS_SLICE_MS);
	schedule(r);
}

size_t refusals_explain_asked(struct refusals *r, const struct refusal_filter *asked)
{
	int64_t end = clock_ms(CLOCK_MONOTONIC) + REFUSALS_SLICE_MS;
	int64_t n = 0;

	while (asked->limit <= 0 || n < asked->limit) {
		struct waiting *w = refusal_queue_take_newest(r->queue, asked->uid, asked->pid,
							      asked->port);

		if (!w)
			break;
		explain(r, w);
		n++;
		if (clock_ms(CLOCK_MONOTONIC) >= end)
			break;
	}
	return refusal_queue_count_of(r->queue, asked->uid, asked->pid, asked->port);
}

/* --- recording ------------------------------------------------------------------------------- */

/* Takes the evidence now: the holder may be gone by the time that there is time for it. */
static int put_aside(struct refusals *r, const struct event *event, const char *service,
		     bool untold, unsigned repeated, int64_t now)
{
	const struct refusal_key key = { event->uid, event->actor, event->port };
	struct waiting *w = calloc(1, sizeof(*w));
	int error;

	if (!w)
		return -ENOMEM;
	error = refusal_new(r->config.inventory, event, service, now, &w->evidence);
	if (!error)
		error = registry_next_refusal_id(r->config.activity->registry, &w->id);
	if (error) {
		free_waiting(w);
		return error;
	}
	w->untold = untold;
	w->repeated = repeated;
	error = refusal_queue_put(r->queue, &key, sizeof(*w) + refusal_bytes(w->evidence), w);
	schedule(r);
	return error;
}

/*
 * Failures that this daemon provokes to prove its probes are nobody's concern.  Known by the pid,
 * which nobody else has while we live, and all events are of that time; anybody may take the name.
 */
static bool is_proof(const struct event *event)
{
	return event->actor.pid == getpid();
}

/* Another daemon's: explained to who asks for its pid, and no entry, since it happens at each of
 * its starts.  Who takes the name is not told to have been refused a port that nobody has claimed.
 */
static bool is_proof_of_another(const struct event *event, const char *service)
{
	return !service && !strcmp(event->comm, "portdaddyd") &&
	       net_addr_is_loopback(event->family, &event->addr);
}

/* At once: a shell looks as soon as the program that was refused has ended. */
static void note_prompt(struct refusals *r, const struct event *event)
{
	const struct process *caller = inventory_process(r->config.inventory, &event->actor);

	if (r->config.prompts && caller)
		prompts_note(r->config.prompts, caller->sid, event->uid, event->actor.pid);
}

void refusals_record(struct refusals *r, const struct event *event, const char *service,
		     int64_t now)
{
	struct why_obstacle known, *obstacle;
	unsigned repeated;
	/* nobody reads its table of ports: what happened is all that can be said of it */
	bool is_lite = event->protocol == IPPROTO_UDPLITE;
	bool untold, quiet = is_proof_of_another(event, service);
	int error;

	if (is_proof(event))
		return;
	obstacle = !is_lite && why_in_the_way(event, r->config.inventory, &known) ? &known : NULL;
	if (!refusal_shares_admit(r->shares, event, now, &repeated)) {
		tell(r, event, service, obstacle, now);
		return;
	}
	if (!quiet && !is_lite)
		note_prompt(r, event);
	if (now - r->gap_noted >= GAP_EVERY_S || now < r->gap_noted)
		note_missing(r, now);
	untold = !quiet && obstacle && why_obstacle_is_open(obstacle);
	if (!untold && !quiet)
		write_entry(r, event, service, obstacle, repeated, now);
	error = is_lite ? 0 : put_aside(r, event, service, untold, repeated, now);
	if (!error)
		return;
	log_error("why pid %d was refused port %u will not be known: %s", event->actor.pid,
		  event->port, strerror(-error));
	if (untold)
		write_entry(r, event, service, obstacle, repeated, now);
}

/* --- lifecycle ------------------------------------------------------------------------------- */

int refusals_new(const struct refusals_config *config, struct refusals **ret)
{
	struct refusals *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	r->config = *config;
	r->slice = evtimer_new(config->loop, on_slice, r);
	r->latest = evtimer_new(config->loop, on_slice, r);
	error = !r->slice || !r->latest ||
				event_priority_set(r->slice,
						   event_base_get_npriorities(config->loop) - 1)
			? -ENOMEM
			: quota_new(geteuid(), &r->quota);
	if (!error)
		error = refusal_shares_new(geteuid(), &r->shares);
	if (!error)
		error = refusal_queue_new(r->quota, on_drop, r, &r->queue);
	if (error) {
		refusals_free(r);
		return error;
	}
	*ret = r;
	return 0;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	refusal_queue_free(r->queue);
	refusal_shares_free(r->shares);
	quota_free(r->quota);
	if (r->slice)
		event_free(r->slice);
	if (r->latest)
		event_free(r->latest);
	free(r);
}

void refusals_finish(struct refusals *r, int64_t now)
{
	struct waiting *w;

	explain_for(r, FINISH_MAX_MS);
	while ((w = refusal_queue_take(r->queue)))
		on_drop(w, r);
	note_missing(r, now);
}
