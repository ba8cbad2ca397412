/* SPDX-License-Identifier: MIT */
#include "tracker/tracker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/moment.h"
#include "tracker/internal.h"

#define STOP_MS 1000 /* for what the kernel reported by the end, when nobody waits any more */

static int judge_due(uint16_t port, int64_t now, void *user_data)
{
	return claims_refresh_port(user_data, port, now);
}

static void on_search_begun(void *user_data)
{
	events_schedule_settle(user_data);
}

/* --- lifecycle --- */

int tracker_new(const struct tracker_config *config, struct tracker **ret)
{
	struct tracker *t = calloc(1, sizeof(*t));
	struct refusals_config refusals;

	if (!t)
		return -ENOMEM;
	refusals = (struct refusals_config){
		.loop = config->loop,
		.source = &t->config.source,
		.inventory = config->inventory,
		.activity = &t->activity,
		.prompts = config->prompts,
	};
	t->config = *config;
	t->readable = event_new(config->loop, config->source.fd, EV_READ | EV_PERSIST,
				events_on_readable, t);
	t->settle = evtimer_new(config->loop, events_on_settle, t);
	t->resync = evtimer_new(config->loop, events_on_resync, t);
	t->deadlines = (struct deadlines){
		.registry = config->registry,
		.activity = &t->activity,
		.judge = judge_due,
		.user_data = t,
	};
	if (!t->readable || !t->settle || !t->resync ||
	    activity_init(&t->activity, config->loop, config->registry) ||
	    deadlines_init(&t->deadlines, config->loop) ||
	    closes_new(config->loop, &t->activity, &t->closes) ||
	    refusals_new(&refusals, &t->refusals) ||
	    history_new(config->loop, config->inventory, &t->activity, &t->history)) {
		tracker_free(t);
		return -ENOMEM;
	}
	inventory_set_search_begun(config->inventory, on_search_begun, t);
	*ret = t;
	return 0;
}

void tracker_free(struct tracker *t)
{
	if (!t)
		return;
	inventory_set_search_begun(t->config.inventory, NULL, NULL);
	history_free(t->history);
	refusals_free(t->refusals);
	closes_free(t->closes);
	deadlines_deinit(&t->deadlines);
	activity_deinit(&t->activity);
	if (t->resync)
		event_free(t->resync);
	if (t->settle)
		event_free(t->settle);
	if (t->readable)
		event_free(t->readable);
	free(t);
}

struct prompts *tracker_prompts(struct tracker *t)
{
	return t->config.prompts;
}

void tracker_set_listener(struct tracker *t, const struct tracker_listener *listener)
{
	t->activity.listener = listener;
}

static void note_start(struct tracker *t, int64_t last, int64_t now)
{
	const struct sentinel_report *report = t->config.source.report;
	char details[TRACKER_DETAILS_SIZE], age[32];
	int working = 0;

	for (int i = 0; i < report->n_probes; i++)
		working += report->probes[i].state == SENTINEL_PROBE_WORKS;
	if (report->mode == SENTINEL_MODE_BPF)
		snprintf(details, sizeof(details), "started (pid %d, eBPF, %d of %d probes)",
			 getpid(), working, report->n_probes);
	else
		snprintf(details, sizeof(details), "started (pid %d, polling: %s)", getpid(),
			 report->why_not_bpf);
	log_info("%s", details);
	activity_note(&t->activity, ACTIVITY_DAEMON, details, now);
	if (!last)
		return;
	snprintf(details, sizeof(details), "no daemon listened for up to %s before this",
		 duration_format_long(now > last ? now - last : 1, age));
	activity_note(&t->activity, ACTIVITY_GAP, details, now);
}

int tracker_start(struct tracker *t)
{
	int64_t now = tracker_now(), last = 0;
	int r = registry_last_alive(t->config.registry, &last);

	if (!r)
		r = activity_prune_all(t->config.registry, now);
	if (r)
		return r;
	note_start(t, last, now);
	t->starting = true;
	t->deferring = true; /* the claims are judged once, below, on the finished table */
	r = inventory_resync(t->config.inventory, now, claims_port_found_changed, t);
	t->deferring = false;
	if (!r)
		left_behind_recall(t);
	if (!r)
		history_start(t->history, last, now);
	if (!r)
		r = claims_refresh_all(t, now);
	t->starting = false;
	if (!r)
		r = registry_begin(t->config.registry);
	if (!r)
		r = registry_mark_alive(t->config.registry, now);
	if (!r && event_add(t->readable, NULL))
		r = -ENOMEM;
	if (r)
		return r;
	activity_commit_due(&t->activity, true);
	deadlines_reschedule(&t->deadlines, now);
	/* what happened while the table was being read waits in the ring: nothing is missed */
	event_active(t->readable, EV_READ, 0);
	events_schedule_settle(t);
	return 0;
}

void tracker_stop(struct tracker *t)
{
	int64_t now = tracker_now();
	int r;

	events_read_up_to_now(t, STOP_MS);
	left_behind_store(t, INT64_MAX);
	refusals_finish(t->refusals, now);
	closes_write_all(t->closes);
	history_write(t->history);
	activity_note(&t->activity, ACTIVITY_DAEMON, "stopped", now);
	r = registry_mark_alive(t->config.registry, now);
	if (!r)
		r = registry_commit(t->config.registry);
	if (r)
		log_error("the end was not written down: %s",
			  registry_strerror(t->config.registry, r));
}

/* --- for the room above --- */

void tracker_tell(struct tracker *t, const char *sentence)
{
	log_warning("%s", sentence);
	activity_note(&t->activity, ACTIVITY_DAEMON, sentence, tracker_now());
	activity_commit_due(&t->activity, false);
}

struct activity_writer *tracker_activity(struct tracker *t)
{
	return &t->activity;
}

int tracker_claim_changed(struct tracker *t, uint16_t port)
{
	portset_add(&t->touched, port);
	return claims_refresh_port(t, port, tracker_now());
}

void tracker_status_differs(struct tracker *t, uint16_t port)
{
	if (!inventory_is_resyncing(t->config.inventory)) {
		tracker_claim_changed(t, port);
		return;
	}
	portset_add(&t->pending_ports, port);
	t->pending = true;
}

void tracker_batch_ended(struct tracker *t, bool undone)
{
	size_t port = undone ? portset_next(&t->touched, 0) : PORTSET_END;

	for (; port != PORTSET_END; port = portset_next(&t->touched, port + 1))
		claims_refresh_port(t, (uint16_t)port, tracker_now());
	portset_clear(&t->touched);
}

uint64_t tracker_write_history(struct tracker *t)
{
	history_write(t->history);
	return history_left_out(t->history);
}

void tracker_catch_up(struct tracker *t)
{
	events_read_up_to_now(t, EVENTS_CATCH_UP_MS);
}

void tracker_clock_changed(struct tracker *t)
{
	deadlines_look(&t->deadlines, tracker_now());
}

size_t tracker_explain_waiting(struct tracker *t, const struct refusal_filter *asked)
{
	return refusals_explain_asked(t->refusals, asked);
}
