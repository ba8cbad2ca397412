/* SPDX-License-Identifier: MIT */
#include "api/commit.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "api/reply.h"
#include "api/server.h"
#include "api/stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordination/locks.h"
#include "coordination/sessions.h"

struct staged_reply {
	struct staged_reply *next;
	struct evhttp_request *http;
	struct json_object *answer;
	struct request_trace trace;
	uint64_t staged_us;
	uint16_t *touched;
	size_t n_touched;
	void (*settled)(struct evhttp_connection *connection, int error, void *user_data);
	void *settled_data;
};

struct staged_call {
	struct staged_call *next;
	void (*call)(int error, void *user_data);
	void *user_data;
};

struct staged_activity {
	struct staged_activity *next;
	struct activity entry; /* its strings point into `text` */
	char text[];
};

struct commit_queue {
	struct api *api;
	struct event *turn_end; /* low priority: runs when the rest of the turn has */
	struct event *latest;	/* middle priority: so that a storm of reads cannot starve it */
	struct staged_reply *replies, **last_reply;
	struct staged_call *calls; /* in no order */
	struct staged_activity *activities, **last_activity;
};

static void free_activity_list(struct staged_activity *list)
{
	while (list) {
		struct staged_activity *next = list->next;

		free(list);
		list = next;
	}
}

static void make_calls(struct staged_call *list, int error)
{
	while (list) {
		struct staged_call *next = list->next;

		list->call(error, list->user_data);
		free(list);
		list = next;
	}
}

/* One commit serves them all: each waited for its begin, and for the whole of it. */
static void note_costs(struct staged_reply *list, uint64_t began_us, uint64_t took_us)
{
	for (; list; list = list->next) {
		list->trace.queue_us += began_us - list->staged_us;
		list->trace.database_us += took_us;
	}
}

/* `why` is the commit's error in words. */
static void answer_all(struct commit_queue *q, struct staged_reply *list, int error,
		       const char *why)
{
	while (list) {
		struct staged_reply *reply = list;
		/* the request is consumed by its answer; its connection lasts until it is written
		 */
		struct evhttp_connection *connection = evhttp_request_get_connection(reply->http);
		enum outcome outcome = error ? reply_outcome(error) : OUTCOME_OK;

		list = reply->next;
		if (error) {
			json_object_put(reply->answer);
			reply->answer = reply_error_new(outcome, why, NULL);
			/* their statuses were judged from claims that are undone now */
			for (size_t i = 0; i < reply->n_touched; i++)
				tracker_claim_changed(q->api->config.tracker, reply->touched[i]);
		}
		reply_send(q->api, reply->http, outcome, reply->answer, &reply->trace);
		if (reply->settled)
			reply->settled(connection, error, reply->settled_data);
		json_object_put(reply->answer);
		free(reply->touched);
		free(reply);
	}
}

static void flush(struct commit_queue *q)
{
	struct registry *registry = q->api->config.registry;
	/* Taken off first: telling the tracker of an undone claim may stage new entries. */
	struct staged_reply *replies = q->replies;
	struct staged_call *calls = q->calls;
	struct staged_activity *activities = q->activities;
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	char why[REGISTRY_WORDS_SIZE + 32] = "";
	int error = 0;

	q->replies = NULL;
	q->last_reply = &q->replies;
	q->calls = NULL;
	q->activities = NULL;
	q->last_activity = &q->activities;
	event_del(q->turn_end);
	event_del(q->latest);

	if (registry_in_batch(registry))
		error = registry_commit(registry);
	if (error) {
		snprintf(why, sizeof(why), "nothing was changed: %s",
			 registry_strerror(registry, error));
		log_error("%s", why);
	}
	if (error && q->api->locks)
		locks_undone(q->api->locks);
	note_costs(replies, began_us, clock_us(CLOCK_MONOTONIC) - began_us);
	answer_all(q, replies, error, why);
	make_calls(calls, error);
	for (struct staged_activity *a = activities; a && !error; a = a->next)
		stream_activity(q->api->streams, &a->entry);
	free_activity_list(activities);
	/* a session that began or ended in what was undone did not */
	if (error && !q->api->ending)
		sessions_undone(q->api->sessions);
}

static void on_commit(evutil_socket_t fd, short what, void *user_data)
{
	flush(user_data);
}

int commit_queue_new(struct api *api, struct commit_queue **ret)
{
	struct event_base *loop = api->config.loop;
	struct commit_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->api = api;
	q->last_reply = &q->replies;
	q->last_activity = &q->activities;
	q->turn_end = event_new(loop, -1, 0, on_commit, q);
	q->latest = evtimer_new(loop, on_commit, q);
	if (!q->turn_end || !q->latest ||
	    event_priority_set(q->turn_end, event_base_get_npriorities(loop) - 1)) {
		commit_queue_free(q);
		return -ENOMEM;
	}
	*ret = q;
	return 0;
}

void commit_queue_free(struct commit_queue *q)
{
	if (!q)
		return;
	/* a grant that nobody took passes to the next in its queue, and so on */
	while (q->turn_end && q->latest &&
	       (q->replies || registry_in_batch(q->api->config.registry)))
		flush(q);
	/* answering may have staged once more */
	free_activity_list(q->activities);
	if (q->turn_end)
		event_free(q->turn_end);
	if (q->latest)
		event_free(q->latest);
	free(q);
}

void commit_schedule(struct commit_queue *q)
{
	event_active(q->turn_end, EV_TIMEOUT, 0);
	commit_schedule_soon(q);
}

void commit_schedule_soon(struct commit_queue *q)
{
	static const struct timeval wait = { .tv_usec = COMMIT_WAIT_MAX_MS * 1000 };

	if (!event_pending(q->latest, EV_TIMEOUT, NULL))
		event_add(q->latest, &wait);
}

int commit_stage_reply(struct commit_queue *q, struct request *r)
{
	struct staged_reply *reply = calloc(1, sizeof(*reply));

	if (!reply)
		return -ENOMEM;
	reply->http = TAKE_PTR(r->http);
	reply->answer = TAKE_PTR(r->answer);
	reply->touched = TAKE_PTR(r->touched);
	reply->n_touched = r->n_touched;
	reply->settled = r->settled;
	reply->settled_data = TAKE_PTR(r->settled_data);
	reply->trace = r->trace;
	reply->staged_us = clock_us(CLOCK_MONOTONIC);
	*q->last_reply = reply;
	q->last_reply = &reply->next;
	commit_schedule(q);
	return 0;
}

int commit_stage_call(struct commit_queue *q, void (*call)(int error, void *user_data),
		      void *user_data)
{
	struct staged_call *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct staged_call){ q->calls, call, user_data };
	q->calls = c;
	commit_schedule(q);
	return 0;
}

int commit_stage_activity(struct commit_queue *q, const struct activity *entry)
{
	struct activity copy = *entry;
	const char **const texts[] = { &copy.service, &copy.details, &copy.comm, &copy.call,
				       &copy.addr };
	size_t sizes[ARRAY_SIZE(texts)], total = 0;
	struct staged_activity *a;
	char *at;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		total += sizes[i] = *texts[i] ? strlen(*texts[i]) + 1 : 1;
	a = calloc(1, sizeof(*a) + total);
	if (!a)
		return -ENOMEM;
	at = a->text;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = memcpy(at, *texts[i] ? *texts[i] : "", sizes[i]);
		at += sizes[i];
	}
	a->entry = copy;
	*q->last_activity = a;
	q->last_activity = &a->next;
	commit_schedule(q);
	return 0;
}
