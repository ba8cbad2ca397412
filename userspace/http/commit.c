/* SPDX-License-Identifier: MIT */
#include "http/commit.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/answer.h"
#include "http/internal.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/worker.h"

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

struct staged {
	struct staged_reply *replies, **last_reply;
	struct staged_call *calls, **last_call;
};

struct commit_queue {
	struct server *server;
	struct event *turn_end;	 /* low priority: runs when the rest of the turn has */
	struct event *latest;	 /* middle priority: so that a storm of reads cannot starve it */
	struct staged open;	 /* of the open batch */
	struct staged committed; /* of batches that wait for their sync to begin */
	struct staged syncing;	 /* … and for it to end */
	struct worker *worker;	 /* syncs; NULL where a commit does */
	uint64_t sync_began_us;
};

static void staged_init(struct staged *s)
{
	*s = (struct staged){ .last_reply = &s->replies, .last_call = &s->calls };
}

/* Behind what is there. */
static void move_all(struct staged *to, struct staged *from)
{
	if (from->replies) {
		*to->last_reply = from->replies;
		to->last_reply = from->last_reply;
	}
	if (from->calls) {
		*to->last_call = from->calls;
		to->last_call = from->last_call;
	}
	staged_init(from);
}

static bool is_empty(const struct staged *s)
{
	return !s->replies && !s->calls;
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

/* One commit serves them all, and one sync: each waited for its begin, and for the whole of it. */
static void note_costs(struct staged_reply *list, uint64_t began_us)
{
	uint64_t now_us = clock_us(CLOCK_MONOTONIC);

	for (; list; list = list->next) {
		list->trace.queue_us += began_us - list->staged_us;
		list->trace.database_us += now_us - began_us;
		list->staged_us = now_us;
	}
}

/* `why` is the error in words. */
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

static void finish(struct commit_queue *q, struct staged *done, int error, const char *outcome)
{
	const struct server_config *config = &q->server->config;
	char why[WORDS_SIZE] = "";

	if (error) {
		snprintf(why, sizeof(why), "%s: %s", outcome,
			 config->calls->words(config->api, error));
		log_error("%s", why);
	}
	answer_all(q, done->replies, error, why);
	make_calls(done->calls, error);
}

static void begin_sync(struct commit_queue *q)
{
	if (worker_is_busy(q->worker))
		return;
	move_all(&q->syncing, &q->committed);
	q->sync_began_us = clock_us(CLOCK_MONOTONIC);
	worker_start(q->worker);
}

static int sync_now(void *user_data)
{
	struct commit_queue *q = user_data;
	const struct server_config *config = &q->server->config;

	return config->calls->sync(config->api);
}

static bool needs_sync(const struct commit_queue *q)
{
	const struct server_config *config = &q->server->config;

	return q->worker && (worker_is_busy(q->worker) || config->calls->needs_sync(config->api));
}

static void on_synced(int error, void *user_data)
{
	struct commit_queue *q = user_data;
	/* Taken off first: what becomes of an answer may stage anew. */
	struct staged done;

	staged_init(&done);
	move_all(&done, &q->syncing);
	if (!is_empty(&q->committed) || needs_sync(q))
		begin_sync(q);
	note_costs(done.replies, q->sync_began_us);
	finish(q, &done, error, "done, but a power cut may take it back");
}

static void flush(struct commit_queue *q)
{
	const struct server_config *config = &q->server->config;
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	/* Taken off first: what the owner does about a failed commit may stage anew. */
	struct staged done;
	int error;

	staged_init(&done);
	move_all(&done, &q->open);
	event_del(q->turn_end);
	event_del(q->latest);

	error = config->calls->commit(config->api);
	note_costs(done.replies, began_us);
	if (error || !needs_sync(q)) {
		finish(q, &done, error, "nothing was changed");
		return;
	}
	move_all(&q->committed, &done);
	begin_sync(q);
}

static void on_commit(evutil_socket_t fd, short what, void *user_data)
{
	flush(user_data);
}

int commit_queue_new(struct server *server, struct commit_queue **ret)
{
	struct event_base *loop = server->config.loop;
	struct commit_queue *q = calloc(1, sizeof(*q));
	int r = 0;

	if (!q)
		return -ENOMEM;
	q->server = server;
	staged_init(&q->open);
	staged_init(&q->committed);
	staged_init(&q->syncing);
	q->turn_end = event_new(loop, -1, 0, on_commit, q);
	q->latest = evtimer_new(loop, on_commit, q);
	if (!q->turn_end || !q->latest ||
	    event_priority_set(q->turn_end, event_base_get_npriorities(loop) - 1)) {
		commit_queue_free(q);
		return -ENOMEM;
	}
	if (server->config.calls->sync)
		r = worker_new(loop, sync_now, on_synced, q, &q->worker);
	if (r) {
		commit_queue_free(q);
		return r;
	}
	*ret = q;
	return 0;
}

void commit_queue_finish(struct commit_queue *q)
{
	const struct server_config *config = &q->server->config;

	/* a grant that nobody took passes to the next in its queue, and so on */
	for (;;) {
		if (!is_empty(&q->open) || config->calls->is_open(config->api))
			flush(q);
		else if (q->worker && worker_is_busy(q->worker))
			worker_wait(q->worker);
		else
			break;
	}
}

void commit_queue_free(struct commit_queue *q)
{
	if (!q)
		return;
	worker_free(q->worker);
	make_calls(q->syncing.calls, -ECANCELED);
	make_calls(q->committed.calls, -ECANCELED);
	make_calls(q->open.calls, -ECANCELED);
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
	*q->open.last_reply = reply;
	q->open.last_reply = &reply->next;
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
	*q->open.last_call = c;
	q->open.last_call = &c->next;
	commit_schedule(q);
	return 0;
}
