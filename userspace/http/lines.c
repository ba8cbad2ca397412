/* SPDX-License-Identifier: MIT */
/*
 * While what was handed to libevent has not left, further lines are gathered here: libevent keeps a
 * kilobyte for each piece that it is given, however short.
 */
#include "http/lines.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>

#include "base/log.h"
#include "http/answer.h"
#include "http/connections.h"
#include "http/internal.h"
#include "http/request.h"

/* What a client may send us behind its request.  Nobody reads it, so that behind more of it the end
 * of the connection would not be seen. */
#define INPUT_MAX_BYTES 4096
#define TICK_S		1

struct lines {
	struct server *server;
	struct evhttp_request *http; /* its answer has begun */
	struct connection *connection;
	struct evbuffer *gathered;
	struct event *step, *tick; /* NULL where nobody asked for them */
	bool writing;		   /* libevent has something that has not left */
	bool step_waits;	   /* for the client to read */
	bool dropped;
	const struct lines_calls *calls;
	void *user_data;
};

static void lines_free(struct lines *l)
{
	if (l->gathered)
		evbuffer_free(l->gathered);
	if (l->step)
		event_free(l->step);
	if (l->tick)
		event_free(l->tick);
	free(l);
}

/* Of who talks to lines: evbuffer_add_cb(). */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *user_data)
{
	struct lines *l = user_data;

	if (!l->dropped && evbuffer_get_length(input) >= INPUT_MAX_BYTES)
		lines_drop(l);
}

static struct evbuffer *input_of(struct evhttp_connection *connection)
{
	return bufferevent_get_input(evhttp_connection_get_bufferevent(connection));
}

static void on_end(struct evhttp_connection *connection, void *user_data)
{
	struct lines *l = user_data;

	evbuffer_remove_cb(input_of(connection), on_input, l);
	/*
	 * When the client left, evhttp has taken the request off the connection and nobody else
	 * frees it; when the connection is freed by us, it frees its requests itself.
	 */
	if (!evhttp_request_get_connection(l->http))
		evhttp_request_free(l->http);
	if (l->calls->ended)
		l->calls->ended(l->user_data);
	lines_free(l);
}

/* --- steps --- */

static void on_step(evutil_socket_t fd, short what, void *user_data)
{
	struct lines *l = user_data;

	l->step_waits = evbuffer_get_length(l->gathered) > LINES_STEP_BYTES;
	if (!l->step_waits)
		l->calls->step(l->user_data);
}

static void on_tick(evutil_socket_t fd, short what, void *user_data)
{
	struct lines *l = user_data;

	l->calls->tick(l->user_data);
}

void lines_continue(struct lines *l)
{
	static const struct timeval at_once;

	event_add(l->step, &at_once);
}

/* --- lines --- */

static void flush(struct lines *l);

static void on_written(struct evhttp_connection *http, void *user_data)
{
	struct lines *l = user_data;

	l->writing = false;
	if (evbuffer_get_length(l->gathered))
		flush(l);
	else if (l->step_waits)
		lines_continue(l);
}

static void flush(struct lines *l)
{
	if (!evbuffer_get_length(l->gathered))
		return;
	l->writing = true;
	connection_sending(l->connection);
	evhttp_send_reply_chunk_with_cb(l->http, l->gathered, on_written, l);
	connection_sent(l->connection);
}

static int gather(struct lines *l, struct json_object *line)
{
	size_t length = 0, gathered = evbuffer_get_length(l->gathered);
	const char *json = json_object_to_json_string_length(line, ANSWER_JSON_FLAGS, &length);

	if (!json || json_fell_short())
		return -ENOMEM;
	if (gathered + length > LINES_BACKLOG_BYTES || connection_hold(l->connection, length + 1))
		return -ENOBUFS;
	if (evbuffer_expand(l->gathered, length + 1) || evbuffer_add(l->gathered, json, length) ||
	    evbuffer_add(l->gathered, "\n", 1))
		return -ENOMEM;
	return 0;
}

void lines_put(struct lines *l, struct json_object *line)
{
	if (l->dropped)
		return;
	if (gather(l, line)) {
		log_info("a watcher that reads too slowly was disconnected");
		l->server->metrics.dropped_watchers++;
		lines_drop(l);
	} else if (!l->writing) {
		flush(l);
	}
}

void lines_drop(struct lines *l)
{
	l->dropped = true;
	connection_drop(l->connection);
}

/* --- from the beginning to the end --- */

static int make_timers(struct lines *l)
{
	static const struct timeval interval = { .tv_sec = TICK_S };
	struct event_base *loop = l->server->config.loop;

	if (l->calls->step)
		l->step = evtimer_new(loop, on_step, l);
	if (l->calls->tick)
		l->tick = event_new(loop, -1, EV_PERSIST, on_tick, l);
	if ((l->calls->step && !l->step) || (l->calls->tick && !l->tick))
		return -ENOMEM;
	return l->tick && event_add(l->tick, &interval) ? -ENOMEM : 0;
}

static void begin_answer(struct lines *l)
{
	static const struct timeval write_timeout = { .tv_sec = SERVER_REQUEST_TIMEOUT_S };
	struct evhttp_connection *connection = evhttp_request_get_connection(l->http);
	struct bufferevent *socket = evhttp_connection_get_bufferevent(connection);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(l->http);

	connection_on_end(l->connection, on_end, l);
	evhttp_add_header(headers, "Content-Type", "application/x-ndjson");
	/* its timeouts are these lines' from now on */
	evhttp_add_header(headers, "Connection", "close");
	/* who would keep it with HTTP/1.0 is told by evhttp that nothing comes: of length 0 */
	while (!evhttp_remove_header(evhttp_request_get_input_headers(l->http), "Connection"))
		;
	evhttp_send_reply_start(l->http, HTTP_OK, NULL);
	/* evhttp reads on to learn of the end: a watcher says nothing for hours, or too much */
	bufferevent_set_timeouts(socket, NULL, &write_timeout);
	bufferevent_setwatermark(socket, EV_READ, 0, INPUT_MAX_BYTES);
	if (!evbuffer_add_cb(input_of(connection), on_input, l) ||
	    evbuffer_get_length(input_of(connection)) >= INPUT_MAX_BYTES)
		lines_drop(l);
}

int lines_begin(struct request *r, const struct lines_calls *calls, void *user_data,
		struct lines **ret)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*l = (struct lines){
		.server = r->server,
		.http = r->http,
		.connection = connection_of(r->server, evhttp_request_get_connection(r->http)),
		.gathered = evbuffer_new(),
		.calls = calls,
		.user_data = user_data,
	};
	if (!l->gathered || make_timers(l)) {
		lines_free(l);
		return -ENOMEM;
	}
	r->taken = true;
	r->trace.waits = true;
	metrics_answered(&r->server->metrics, &r->trace, OUTCOME_OK);
	begin_answer(l);
	*ret = l;
	return 0;
}

void lines_finish(struct lines *l)
{
	flush(l);
	evbuffer_remove_cb(input_of(evhttp_request_get_connection(l->http)), on_input, l);
	connection_on_end(l->connection, NULL, NULL);
	evhttp_send_reply_end(l->http); /* calls nobody of us any more */
	lines_free(l);
}
