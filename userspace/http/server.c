/* SPDX-License-Identifier: MIT */
/*
 * The life of a request.  Three facts of libevent 2.1's HTTP server shape it:
 *
 * - A request that was handed to us must end in exactly one reply, also when its client has left:
 *   evhttp then detaches it from the connection and leaves its freeing to that reply.  While an
 *   answer waits for its commit nothing is read from the connection, so it cannot end by itself.
 * - What evhttp cannot parse (a request line, a header, a body far beyond the limit) it answers on
 *   its own, in HTML, and closes.  Everything that it can parse is answered here, as JSON.
 * - It writes with writev(), which takes no MSG_NOSIGNAL: SIGPIPE is ignored for the process.
 */
#include "http/server.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/quota.h"
#include "http/answer.h"
#include "http/commit.h"
#include "http/connections.h"
#include "http/delivery.h"
#include "http/internal.h"
#include "http/parse.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/trim.h"
#include "http/turns.h"

/* Bodies up to this are read, so that a body over the limit gets an answer in JSON. */
#define BODY_READ_MAX_BYTES (2 * PARSE_BODY_MAX_BYTES)
/* All that evhttp names, so that a wrong method is answered from the table of routes; CONNECT has
 * no path. */
#define METHODS                                                                                    \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH)

/* --- a request --- */

/*
 * The route of a path and method.  0; OUTCOME_NO_ROUTE; OUTCOME_NO_METHOD, and then *ret is a route
 * of that path, whose method would have been right.
 */
static int find_route(const struct server *s, const char *path, enum evhttp_cmd_type method,
		      const struct route **ret)
{
	int fault = OUTCOME_NO_ROUTE;

	for (const struct route *const *at = s->config.routes; *at; at++) {
		if (strcmp((*at)->path, path) != 0)
			continue;
		*ret = *at;
		if (method == ((*at)->method == ROUTE_POST ? EVHTTP_REQ_POST : EVHTTP_REQ_GET))
			return 0;
		fault = OUTCOME_NO_METHOD;
	}
	return fault;
}

static int refuse_method(struct request *r, const struct route *route)
{
	const char *method = route_method_name(route);

	evhttp_add_header(evhttp_request_get_output_headers(r->http), "Allow", method);
	return request_fail(r, OUTCOME_NO_METHOD, "%s takes %s only", route->path, method);
}

static int dispatch(struct request *r)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(r->http));
	const struct route *route = NULL;
	int result = find_route(r->server, path ? path : "", evhttp_request_get_command(r->http),
				&route);

	if (result == OUTCOME_NO_METHOD)
		return refuse_method(r, route);
	if (result)
		return request_fail(r, OUTCOME_NO_ROUTE, "there is no %.200s here", path);
	result = parse_request(r, route);
	return result ? result : r->server->config.calls->handle(r);
}

/* A sentence for a failure that no handler described. */
static void describe(struct request *r, int result)
{
	const struct server_calls *calls = r->server->config.calls;
	const char *what = r->route ? r->route->path : "a request";

	if (result >= 0)
		request_fail(r, (enum outcome)result, "%s",
			     outcome_row((enum outcome)result)->help);
	else if (calls->words_are_whole(r->api, result))
		request_fail(r, OUTCOME_FAILED, "%s", calls->words(r->api, result));
	else
		request_fail(r, OUTCOME_FAILED,
			     "the daemon failed at %s: %s (try again; its log has the same line)",
			     what, strerror(-result));
	if (result < 0)
		log_error("%s failed: %s", what, calls->words(r->api, result));
}

static void send_error(struct request *r, int result)
{
	enum outcome outcome = answer_outcome(result);
	_cleanup_json_ struct json_object *body = NULL;

	if (!*r->message)
		describe(r, result);
	body = answer_error_new(outcome, r->message, r->extra);
	reply_send(r->server, r->http, outcome, body, &r->trace);
}

void server_answer(struct request *r, int result)
{
	struct server *s = r->server;
	bool is_whole = !json_fell_short();

	/* what was written stays written, and its answer says what it can */
	if (!result && !r->writes && !is_whole)
		result = -ENOMEM;
	if (!result && r->writes)
		result = commit_stage_reply(s->commits, r);
	else if (!result && r->written.text)
		reply_send_written(s, r->http, &r->written, &r->trace);
	else if (!result && r->text)
		reply_send_text(s, r->http, r->content_type, r->text, &r->trace);
	else if (!result)
		reply_send(s, r->http, OUTCOME_OK, r->answer, &r->trace);
	if (result) {
		send_error(r, result);
		if (r->delivered)
			r->delivered(true, TAKE_PTR(r->delivered_data));
	}
	/* what a failed request wrote before it failed is kept, or undone, with the turn's commit
	 */
	if (r->writes)
		commit_schedule(s->commits);
}

static void answer(struct request *r)
{
	const struct server_calls *calls = r->server->config.calls;
	uint64_t before_us = calls->database_us(r->api);
	int result = dispatch(r);

	r->trace.database_us = calls->database_us(r->api) - before_us;
	if (result || !r->taken)
		server_answer(r, result);
}

static void give_back(void *user_data)
{
	const struct server_config *config = &((struct server *)user_data)->config;

	if (config->calls->give_back)
		config->calls->give_back(config->api);
}

void server_trim_later(struct server *s)
{
	trim_later(s->trim);
}

static void handle_request(struct evhttp_request *http, uint64_t arrived_us, void *user_data)
{
	struct request r;
	int fault = request_init(&r, user_data, http);

	r.trace.queue_us = r.trace.began_us - arrived_us;
	r.trace.began_us = arrived_us;
	if (fault)
		send_error(&r, fault);
	else
		answer(&r);
	request_deinit(&r);
}

static void on_request(struct evhttp_request *http, void *user_data)
{
	struct server *s = user_data;
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	struct connection *c = connection_of(s, connection);

	if (!c) {
		evhttp_connection_free(connection); /* frees the request as well */
		return;
	}
	connection_asked(c);
	turns_take(s->turns, c, http);
}

/* --- lifecycle --- */

static int build_http(struct server *s)
{
	s->http = evhttp_new(s->config.loop);
	if (!s->http)
		return -ENOMEM;
	evhttp_set_max_body_size(s->http, BODY_READ_MAX_BYTES);
	evhttp_set_max_headers_size(s->http, SERVER_HEADERS_MAX_BYTES);
	evhttp_set_timeout(s->http, SERVER_REQUEST_TIMEOUT_S);
	evhttp_set_allowed_methods(s->http, METHODS);
	evhttp_set_gencb(s->http, on_request, s);
	return 0;
}

static unsigned count_callers(const struct quota *quota)
{
	unsigned n = (unsigned)quota_limit_of(quota, QUOTA_CONNECTIONS)->machine / 8;

	return !n ? 1 : n < SERVER_CALLERS ? n : SERVER_CALLERS;
}

int server_new(const struct server_config *config, struct server **ret)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->n_callers = count_callers(config->quota);
	if (!s->config.request_timeout_ms)
		s->config.request_timeout_ms = SERVER_REQUEST_TIMEOUT_S * 1000;
	metrics_init(&s->metrics, config->routes);
	signal(SIGPIPE, SIG_IGN);
	r = build_http(s);
	r = r ?: trim_new(config->loop, give_back, s, &s->trim);
	r = r ?: connections_new(s, &s->connections);
	r = r ?: turns_new(s, handle_request, s, &s->turns);
	r = r ?: commit_queue_new(s, &s->commits);
	r = r ?: deliveries_new(config->loop, &s->deliveries);
	if (r) {
		server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int server_listen(struct server *s, int listen_fd)
{
	return connections_listen(s->connections, listen_fd);
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	s->ending = true;
	if (s->commits) {
		turns_finish(s->turns);
		commit_queue_finish(s->commits);
	}
	if (s->http)
		evhttp_free(s->http);
	s->http = NULL;
	/* whoever was told of the end of their connection may have written something */
	if (s->commits)
		commit_queue_finish(s->commits);
	deliveries_free(s->deliveries);
	s->deliveries = NULL;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->http)
		server_stop(s);
	commit_queue_free(s->commits);
	turns_free(s->turns);
	connections_free(s->connections);
	for (size_t i = 0; i < SERVER_CALLERS; i++)
		procfs_kept_deinit(&s->callers[i]);
	trim_free(s->trim);
	free(s);
}

struct commit_queue *server_commits(struct server *s)
{
	return s->commits;
}

const struct metrics *server_metrics(const struct server *s)
{
	return &s->metrics;
}

const char *server_socket_path(const struct server *s)
{
	return s->socket_path;
}
