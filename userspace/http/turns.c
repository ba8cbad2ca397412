/* SPDX-License-Identifier: MIT */
#include "http/turns.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "http/connections.h"
#include "http/internal.h"

struct waiting {
	TAILQ_ENTRY(waiting) entry;
	struct user *user;
	struct connection *connection;
	struct evhttp_request *http;
	uint64_t arrived_us; /* CLOCK_MONOTONIC */
};

/* Somebody of whom something waits. */
struct user {
	TAILQ_ENTRY(user) entry;
	struct turns *turns;
	uid_t uid;
	TAILQ_HEAD(, waiting) requests; /* never empty; first come, first served */
};

struct turns {
	struct server *server;
	turns_handle handle;
	void *user_data;
	struct event *next;	  /* without a wait: after what the loop has to read */
	TAILQ_HEAD(, user) users; /* whose turn it is stands first */
	struct timeval turn;	  /* the loop's time of the turn that `used_us` is of */
	uint64_t used_us;
};

static void user_free(struct user *user)
{
	TAILQ_REMOVE(&user->turns->users, user, entry);
	free(user);
}

/* Takes it off its user, who goes to the end of the rotation where more of theirs waits. */
static void waiting_free(struct waiting *w)
{
	struct user *user = w->user;

	TAILQ_REMOVE(&user->requests, w, entry);
	free(w);
	if (TAILQ_EMPTY(&user->requests)) {
		user_free(user);
		return;
	}
	TAILQ_REMOVE(&user->turns->users, user, entry);
	TAILQ_INSERT_TAIL(&user->turns->users, user, entry);
}

static void on_end(struct evhttp_connection *connection, void *user_data)
{
	struct waiting *w = user_data;

	/* off its connection, it is nobody's but ours (see lines.c) */
	if (!evhttp_request_get_connection(w->http))
		evhttp_request_free(w->http);
	waiting_free(w);
}

/* The loop reads the clock once in each turn. */
static bool has_time_left(struct turns *t)
{
	struct timeval now;

	if (event_base_gettimeofday_cached(t->server->config.loop, &now) ||
	    evutil_timercmp(&now, &t->turn, !=)) {
		t->turn = now;
		t->used_us = 0;
	}
	return t->used_us < TURNS_SLICE_US;
}

static void handle_now(struct turns *t, struct evhttp_request *http, uint64_t arrived_us)
{
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);

	t->handle(http, arrived_us, t->user_data);
	t->used_us += clock_us(CLOCK_MONOTONIC) - began_us;
}

static void handle_first(struct turns *t)
{
	struct waiting *w = TAILQ_FIRST(&TAILQ_FIRST(&t->users)->requests);
	struct evhttp_request *http = w->http;
	uint64_t arrived_us = w->arrived_us;

	connection_on_end(w->connection, NULL, NULL);
	waiting_free(w);
	handle_now(t, http, arrived_us);
}

static void on_next(evutil_socket_t fd, short what, void *user_data)
{
	static const struct timeval at_once;
	struct turns *t = user_data;
	struct user *user;
	size_t round = 0;

	TAILQ_FOREACH(user, &t->users, entry)
		round++;
	/* one of each at least, where what just arrived has used this turn's time up */
	while (!TAILQ_EMPTY(&t->users) && (round || has_time_left(t))) {
		handle_first(t);
		round -= round > 0;
	}
	if (!TAILQ_EMPTY(&t->users))
		event_add(t->next, &at_once);
}

static struct user *user_of(struct turns *t, uid_t uid)
{
	struct user *user;

	TAILQ_FOREACH(user, &t->users, entry)
		if (user->uid == uid)
			return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->turns = t;
	user->uid = uid;
	TAILQ_INIT(&user->requests);
	TAILQ_INSERT_TAIL(&t->users, user, entry);
	return user;
}

static int put_aside(struct turns *t, struct connection *c, struct evhttp_request *http)
{
	static const struct timeval at_once;
	struct waiting *w = calloc(1, sizeof(*w));
	struct user *user = w ? user_of(t, connection_uid(c)) : NULL;

	if (!user || event_add(t->next, &at_once)) {
		if (user && TAILQ_EMPTY(&user->requests))
			user_free(user);
		free(w);
		return -ENOMEM;
	}
	*w = (struct waiting){ .user = user, .connection = c, .http = http };
	w->arrived_us = clock_us(CLOCK_MONOTONIC);
	TAILQ_INSERT_TAIL(&user->requests, w, entry);
	connection_on_end(c, on_end, w);
	return 0;
}

void turns_take(struct turns *t, struct connection *c, struct evhttp_request *http)
{
	bool others_wait = !TAILQ_EMPTY(&t->users);

	if ((others_wait || !has_time_left(t)) && !put_aside(t, c, http))
		return;
	handle_now(t, http, clock_us(CLOCK_MONOTONIC));
}

void turns_finish(struct turns *t)
{
	while (t && !TAILQ_EMPTY(&t->users))
		handle_first(t);
}

int turns_new(struct server *server, turns_handle handle, void *user_data, struct turns **ret)
{
	struct turns *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->server = server;
	t->handle = handle;
	t->user_data = user_data;
	TAILQ_INIT(&t->users);
	t->next = evtimer_new(server->config.loop, on_next, t);
	if (!t->next) {
		turns_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	if (t->next)
		event_free(t->next);
	free(t);
}
