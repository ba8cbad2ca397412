/* SPDX-License-Identifier: MIT */
#include "api/lock_queue.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "api/connections.h"
#include "api/request.h"
#include "api/server.h"
#include "base/quota.h"
#include "coordination/process_watch.h"

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	struct lock_queue *queue;
	uid_t uid;		/* who asked, to whose quota it counts */
	struct request request; /* open until it is answered */
	struct lock_wish wish;
	int64_t since;
	struct process_watch *watch;
	struct event *left, *timeout;
};

struct lock_queue {
	struct api *api;
	lock_queue_expired expired;
	void *user_data;
	TAILQ_HEAD(, waiter) waiters; /* of all locks */
};

int lock_queue_refuse_ended(struct request *r, const struct lock *wanted)
{
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "%s (pid %d), whose the lock would be, has ended", wanted->comm,
			    wanted->process.pid);
}

/* --- one waiter --- */

static void waiter_free(struct waiter *w)
{
	TAILQ_REMOVE(&w->queue->waiters, w, entry);
	quota_give_back(w->queue->api->quota, w->uid, QUOTA_LOCK_WAITERS, 1);
	process_watch_free(w->watch);
	if (w->left)
		event_free(w->left);
	if (w->timeout)
		event_free(w->timeout);
	request_deinit(&w->request);
	free(w);
}

/* While the answer is open evhttp's own timeout of reading must not end the connection. */
static void set_timeouts(struct evhttp_connection *connection, bool reading)
{
	static const struct timeval wait = { .tv_sec = API_REQUEST_TIMEOUT_S };

	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection),
				 reading ? &wait : NULL, &wait);
}

static void answer_waiter(struct waiter *w, int result)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(w->request.http);

	connection_on_end(connection_of(w->queue->api, connection), NULL, NULL);
	set_timeouts(connection, true);
	server_answer(&w->request, result);
	waiter_free(w);
}

/* The connection ends, by us or at the server's end. */
static void on_close(struct evhttp_connection *connection, void *user_data)
{
	struct waiter *w = user_data;

	/* see stream.c: a request that evhttp has taken off its connection is nobody else's */
	if (!evhttp_request_get_connection(w->request.http))
		evhttp_request_free(w->request.http);
	waiter_free(w);
}

static void on_left(evutil_socket_t fd, short what, void *user_data)
{
	struct waiter *w = user_data;

	evhttp_connection_free(evhttp_request_get_connection(w->request.http));
}

static void on_process_gone(const struct process_id *id, void *user_data)
{
	struct waiter *w = user_data;

	answer_waiter(w, lock_queue_refuse_ended(&w->request, &w->wish.lock));
}

static void on_timeout(evutil_socket_t fd, short what, void *user_data)
{
	struct waiter *w = user_data;
	struct lock_queue *q = w->queue;

	answer_waiter(w, q->expired(&w->request, &w->wish, q->user_data));
}

static int waiter_start(struct waiter *w, struct evhttp_connection *connection)
{
	struct api *api = w->queue->api;
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	const struct timeval wait = { .tv_sec = w->wish.wait_s };
	int r = process_watch_new(api->processes, &w->wish.lock.process, w->uid, on_process_gone, w,
				  &w->watch);

	if (r)
		return r;
	/* evhttp reads nothing while an answer is due, so it does not see the client leave */
	w->left = event_new(api->config.loop, fd, EV_CLOSED, on_left, w);
	if (!w->left || event_add(w->left, NULL))
		return -ENOMEM;
	if (w->wish.wait_s == LOCK_WAIT_FOREVER)
		return 0;
	w->timeout = evtimer_new(api->config.loop, on_timeout, w);
	return w->timeout && !event_add(w->timeout, &wait) ? 0 : -ENOMEM;
}

/* --- the queue --- */

static int waiter_new(struct lock_queue *q, struct request *r, const struct lock_wish *wish,
		      struct waiter **ret)
{
	int fault = request_charge(r, QUOTA_LOCK_WAITERS);
	struct waiter *w;

	if (fault)
		return fault;
	w = calloc(1, sizeof(*w));
	if (!w) {
		quota_give_back(q->api->quota, r->uid, QUOTA_LOCK_WAITERS, 1);
		return -ENOMEM;
	}
	w->queue = q;
	w->uid = r->uid;
	w->wish = *wish;
	w->since = r->now;
	TAILQ_INSERT_TAIL(&q->waiters, w, entry);
	*ret = w;
	return 0;
}

int lock_queue_add(struct lock_queue *q, struct request *r, const struct lock_wish *wish)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(r->http);
	struct waiter *w;
	int fault = waiter_new(q, r, wish, &w);

	if (fault)
		return fault;
	fault = waiter_start(w, connection);
	if (fault) {
		waiter_free(w);
		return fault == -ESRCH ? lock_queue_refuse_ended(r, &wish->lock) : fault;
	}
	connection_on_end(connection_of(q->api, connection), on_close, w);
	set_timeouts(connection, false);
	request_keep(r, &w->request);
	return 0;
}

void lock_queue_serve(struct lock_queue *q, struct lock_key key, lock_queue_turn turn,
		      void *user_data)
{
	struct waiter *w, *next;
	int result;

	for (w = TAILQ_FIRST(&q->waiters); w; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (lock_has_key(&w->wish.lock, key) &&
		    turn(&w->request, &w->wish, &result, user_data))
			answer_waiter(w, result);
	}
}

void lock_queue_for_each(const struct lock_queue *q, const struct lock_key *key,
			 lock_waiter_visit visit, void *user_data)
{
	struct waiter *w;

	TAILQ_FOREACH(w, &q->waiters, entry)
		if (!key || lock_has_key(&w->wish.lock, *key))
			visit(&w->wish.lock, w->since, user_data);
}

int lock_queue_new(struct api *api, lock_queue_expired expired, void *user_data,
		   struct lock_queue **ret)
{
	struct lock_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->api = api;
	q->expired = expired;
	q->user_data = user_data;
	TAILQ_INIT(&q->waiters);
	*ret = q;
	return 0;
}

void lock_queue_free(struct lock_queue *q)
{
	if (!q)
		return;
	while (!TAILQ_EMPTY(&q->waiters))
		waiter_free(TAILQ_FIRST(&q->waiters));
	free(q);
}
