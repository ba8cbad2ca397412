/* SPDX-License-Identifier: MIT */
#include "http/commit.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/answer.h"
#include "http/internal.h"
#include "http/reply.h"
#include "http/request.h"

#define WORDS_SIZE 512 /* of a failed commit; cut where the owner's are longer */

struct staged_reply {
	struct staged_reply *next;
	struct evhttp_request *http;
	struct json_object *answer;
	struct request_trace trace;
	uint64_t staged_us;
	bool closes; /* the connection ends with the answer */
	delivery_end delivered;
	void *delivered_data;
};

struct staged_call {
	struct staged_call *next;
	void (*call)(int error, void *user_data);
	void *user_data;
};

struct commit_queue {
	struct server *server;
	struct event *turn_end; /* low priority: runs when the rest of the turn has */
	struct event *latest;	/* middle priority: so that a storm of reads cannot starve it */
	struct staged_reply *replies, **last_reply;
	struct staged_call *calls, **last_call;
};

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
		enum outcome outcome = answer_outcome(error);

		list = reply->next;
		if (error) {
			json_object_put(reply->answer);
			reply->answer = answer_error_new(outcome, why, NULL);
		}
		reply_send(q->server, reply->http, outcome, reply->answer, &reply->trace);
		if (reply->delivered && error)
			reply->delivered(true, reply->delivered_data);
		else if (reply->delivered)
			delivery_watch(q->server->deliveries, connection, reply->closes,
				       reply->delivered, reply->delivered_data);
		json_object_put(reply->answer);
		free(reply);
	}
}

static void flush(struct commit_queue *q)
{
	const struct server_config *config = &q->server->config;
	/* Taken off first: what the owner does about a failed commit may stage anew. */
	struct staged_reply *replies = q->replies;
	struct staged_call *calls = q->calls;
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	char why[WORDS_SIZE] = "";
	int error;

	q->replies = NULL;
	q->last_reply = &q->replies;
	q->calls = NULL;
	q->last_call = &q->calls;
	event_del(q->turn_end);
	event_del(q->latest);

	error = config->calls->commit(config->api);
	if (error) {
		snprintf(why, sizeof(why), "nothing was changed: %s",
			 config->calls->words(config->api, error));
		log_error("%s", why);
	}
	note_costs(replies, began_us, clock_us(CLOCK_MONOTONIC) - began_us);
	answer_all(q, replies, error, why);
	make_calls(calls, error);
}

static void on_commit(evutil_socket_t fd, short what, void *user_data)
{
	flush(user_data);
}

int commit_queue_new(struct server *server, struct commit_queue **ret)
{
	struct event_base *loop = server->config.loop;
	struct commit_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->server = server;
	q->last_reply = &q->replies;
	q->last_call = &q->calls;
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

void commit_queue_finish(struct commit_queue *q)
{
	const struct server_config *config = &q->server->config;

	/* a grant that nobody took passes to the next in its queue, and so on */
	while (q->replies || q->calls || config->calls->is_open(config->api))
		flush(q);
}

void commit_queue_free(struct commit_queue *q)
{
	if (!q)
		return;
	make_calls(q->calls, -ECANCELED);
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
	reply->closes = reply->http->major == 1 && reply->http->minor == 0;
	reply->delivered = r->delivered;
	reply->delivered_data = TAKE_PTR(r->delivered_data);
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
	*c = (struct staged_call){ .call = call, .user_data = user_data };
	*q->last_call = c;
	q->last_call = &c->next;
	commit_schedule(q);
	return 0;
}
