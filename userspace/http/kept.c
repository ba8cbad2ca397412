/* SPDX-License-Identifier: MIT */
#include "http/kept.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "http/connections.h"
#include "http/internal.h"

struct kept_request {
	struct request request; /* open until it is answered */
	struct event *leaving;
	void (*left)(void *user_data);
	void *user_data;
};

/* While the answer is open evhttp's own timeout of reading must not end the connection. */
static void set_timeouts(struct evhttp_connection *connection, bool reading)
{
	static const struct timeval wait = { .tv_sec = SERVER_REQUEST_TIMEOUT_S };

	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection),
				 reading ? &wait : NULL, &wait);
}

static void kept_free(struct kept_request *k)
{
	event_free(k->leaving);
	request_deinit(&k->request);
	free(k);
}

/* The connection ends, by us or at the server's end. */
static void on_close(struct evhttp_connection *connection, void *user_data)
{
	struct kept_request *k = user_data;

	/* see lines.c: a request that evhttp has taken off its connection is nobody else's */
	if (!evhttp_request_get_connection(k->request.http))
		evhttp_request_free(k->request.http);
	k->left(k->user_data);
	kept_free(k);
}

static void on_leaving(evutil_socket_t fd, short what, void *user_data)
{
	struct kept_request *k = user_data;

	evhttp_connection_free(evhttp_request_get_connection(k->request.http));
}

/* Moves a request to where it outlives its handler; *r stays valid and empty. */
static void take_over(struct request *r, struct request *ret)
{
	*ret = *r;
	ret->trace.waits = true;
	memset(r->given, 0, sizeof(r->given));
	r->params = r->work = NULL;
	r->body = r->answer = r->extra = NULL;
	r->written = (struct written){ 0 };
	r->text = NULL;
	r->taken = true;
}

int kept_request_new(struct request *r, void (*left)(void *user_data), void *user_data,
		     struct kept_request **ret)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(r->http);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	_cleanup_free_ struct kept_request *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->left = left;
	k->user_data = user_data;
	/* evhttp reads nothing while an answer is due, so it does not see the client leave */
	k->leaving = event_new(r->server->config.loop, fd, EV_CLOSED, on_leaving, k);
	if (!k->leaving)
		return -ENOMEM;
	if (event_add(k->leaving, NULL)) {
		event_free(k->leaving);
		return -ENOMEM;
	}
	connection_on_end(connection_of(r->server, connection), on_close, k);
	set_timeouts(connection, false);
	take_over(r, &k->request);
	*ret = TAKE_PTR(k);
	return 0;
}

struct request *kept_request_get(struct kept_request *k)
{
	return &k->request;
}

void kept_request_answer(struct kept_request *k, int result)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(k->request.http);

	connection_on_end(connection_of(k->request.server, connection), NULL, NULL);
	set_timeouts(connection, true);
	server_answer(&k->request, result);
	kept_free(k);
}
