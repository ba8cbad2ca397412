/* SPDX-License-Identifier: MIT */
/*
 * The life of a connection and of a request.  Three facts of libevent 2.1's HTTP server shape it:
 *
 * - A request that was handed to us must end in exactly one reply, also when its client has left:
 *   evhttp then detaches it from the connection and leaves its freeing to that reply.  While an
 *   answer waits for its commit nothing is read from the connection, so it cannot end by itself.
 * - What evhttp cannot parse (a request line, a header, a body far beyond the limit) it answers on
 *   its own, in HTML, and closes.  Everything that it can parse is answered here, as JSON.
 * - It writes with writev(), which takes no MSG_NOSIGNAL: SIGPIPE is ignored for the process.
 */
#include "api/server.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "api/commit.h"
#include "api/connections.h"
#include "api/lock_delivery.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/routes.h"
#include "api/stream.h"
#include "api/turns.h"
#include "base/log.h"
#include "base/quota.h"
#include "coordination/locks.h"
#include "coordination/process_watch.h"
#include "coordination/sessions.h"
#include "health/health.h"

/* Bodies up to this are read, so that a body over the limit gets an answer in JSON. */
#define BODY_READ_MAX_BYTES (2 * API_BODY_MAX_BYTES)
/* Behind a large answer: long enough for any client of this machine to have read it. */
#define TRIM_AFTER_S 1
/* All that evhttp names, so that a wrong method is answered from the table of routes; CONNECT has
 * no path. */
#define METHODS                                                                                    \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH)

/* --- a request --- */

static int refuse_method(struct request *r, const struct route *route)
{
	const char *method = routes_method_name(route->method);

	evhttp_add_header(evhttp_request_get_output_headers(r->http), "Allow", method);
	return request_fail(r, OUTCOME_NO_METHOD, "%s takes %s only", route->path, method);
}

/* A question mostly asks the registry again and again: for each service, for each socket. */
static int handle(struct request *r, const struct route *route)
{
	struct registry *registry = r->api->config.registry;
	int result;

	if (route->method != EVHTTP_REQ_GET)
		return route->handle(r);
	registry_read_begin(registry);
	result = route->handle(r);
	registry_read_end(registry);
	return result;
}

static int dispatch(struct request *r)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(r->http));
	const struct route *route = NULL;
	int result = routes_find(path ? path : "", evhttp_request_get_command(r->http), &route);

	if (result == OUTCOME_NO_METHOD)
		return refuse_method(r, route);
	if (result)
		return request_fail(r, OUTCOME_NO_ROUTE, "there is no %.200s here", path);
	result = request_parse(r, route);
	if (result)
		return result;
	tracker_catch_up(r->api->config.tracker);
	return handle(r, route);
}

/* A sentence for a failure that no handler described. */
static void describe(struct request *r, int result)
{
	struct registry *registry = r->api->config.registry;
	const char *what = r->route ? r->route->path : "a request";

	if (result >= 0)
		request_fail(r, (enum outcome)result, "%s",
			     outcome_row((enum outcome)result)->help);
	else if (registry_failed_with(registry, result))
		request_fail(r, OUTCOME_FAILED, "%s", registry_strerror(registry, result));
	else
		request_fail(r, OUTCOME_FAILED,
			     "the daemon failed at %s: %s (try again; its log has the same line)",
			     what, strerror(-result));
	if (result < 0)
		log_error("%s failed: %s", what, registry_strerror(registry, result));
}

static void send_error(struct request *r, int result)
{
	enum outcome outcome = reply_outcome(result);
	_cleanup_json_ struct json_object *body = NULL;

	if (!*r->message)
		describe(r, result);
	body = reply_error_new(outcome, r->message, r->extra);
	reply_send(r->api, r->http, outcome, body, &r->trace);
}

static uint64_t database_us(const struct request *r)
{
	return registry_counters(r->api->config.registry).busy_ns / 1000;
}

void server_answer(struct request *r, int result)
{
	if (!result && r->writes)
		result = commit_stage_reply(r->api->commits, r);
	else if (!result && r->written.text)
		reply_send_written(r->api, r->http, &r->written, &r->trace);
	else if (!result && r->text)
		reply_send_text(r->api, r->http, r->content_type, r->text, &r->trace);
	else if (!result)
		reply_send(r->api, r->http, OUTCOME_OK, r->answer, &r->trace);
	if (result) {
		send_error(r, result);
		if (r->settled)
			r->settled(NULL, result, TAKE_PTR(r->settled_data));
	}
	/* what a failed request wrote before it failed is kept, or undone, with the turn's commit
	 */
	if (r->writes)
		commit_schedule(r->api->commits);
}

static void answer(struct request *r)
{
	uint64_t before_us = database_us(r);
	int result = dispatch(r);

	r->trace.database_us = database_us(r) - before_us;
	if (result || !r->taken)
		server_answer(r, result);
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
	struct api *api = user_data;
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	struct connection *c = connection_of(api, connection);

	if (!c) {
		evhttp_connection_free(connection); /* frees the request as well */
		return;
	}
	connection_asked(c);
	turns_take(api->turns, c, http);
}

/* --- memory --- */

static void on_trim_memory(evutil_socket_t fd, short what, void *user_data)
{
	malloc_trim(0);
}

void server_trim_memory_soon(struct api *api)
{
	static const struct timeval wait = { .tv_sec = TRIM_AFTER_S };

	/* not put off again and again by whoever goes on */
	if (!event_pending(api->trim_memory, EV_TIMEOUT, NULL))
		event_add(api->trim_memory, &wait);
}

/* --- lifecycle --- */

void api_clock_changed(struct api *api)
{
	locks_clock_changed(api->locks);
}

static void on_event(const struct event *event, const char *service, int64_t at_unix,
		     void *user_data)
{
	struct api *api = user_data;

	api->metrics.events[event->kind]++;
	stream_event(api->streams, event, service, at_unix);
}

/* Watchers see it once it is durable. */
static void on_entry_written(const struct activity *entry, void *user_data)
{
	struct api *api = user_data;
	int r = streams_are_watched(api->streams) ? commit_stage_activity(api->commits, entry) : 0;

	if (r)
		log_error("a log entry was not streamed: %s", strerror(-r));
}

static void on_commit_due(bool somebody_waits, void *user_data)
{
	struct api *api = user_data;

	if (somebody_waits)
		commit_schedule(api->commits);
	else
		commit_schedule_soon(api->commits);
}

static int explain(const struct refusal *evidence, char **ret, void *user_data)
{
	return api_explain_refusal(user_data, evidence, ret);
}

static void listen_to_tracker(struct api *api)
{
	api->listener = (struct tracker_listener){
		.event = on_event,
		.entry_written = on_entry_written,
		.commit_due = on_commit_due,
		.explain = explain,
		.user_data = api,
	};
	tracker_set_listener(api->config.tracker, &api->listener);
}

static int build_server(struct api *api)
{
	api->http = evhttp_new(api->config.loop);
	api->trim_memory = evtimer_new(api->config.loop, on_trim_memory, api);
	if (!api->http || !api->trim_memory)
		return -ENOMEM;
	evhttp_set_max_body_size(api->http, BODY_READ_MAX_BYTES);
	evhttp_set_max_headers_size(api->http, API_HEADERS_MAX_BYTES);
	evhttp_set_timeout(api->http, API_REQUEST_TIMEOUT_S);
	evhttp_set_allowed_methods(api->http, METHODS);
	evhttp_set_gencb(api->http, on_request, api);
	return 0;
}

/* What is written is committed by the queue and told to watchers: both are there already. */
static int build_coordination(struct api *api)
{
	struct coordination c = {
		.loop = api->config.loop,
		.registry = api->config.registry,
		.activity = tracker_activity(api->config.tracker),
		.quota = api->quota,
	};
	int r = process_watcher_new(c.loop, c.quota, &api->processes);

	c.processes = api->processes;
	if (!r)
		r = sessions_new(&c, &api->sessions);
	if (!r)
		r = locks_new(&c, &api->locks);
	if (!r)
		r = locks_start(api->locks);
	return r;
}

static int build(struct api *api)
{
	int r = build_server(api);

	if (!r)
		r = quota_new(geteuid(), &api->quota);
	if (!r)
		r = connections_new(api, &api->connections);
	if (!r)
		r = turns_new(api, handle_request, api, &api->turns);
	if (!r)
		r = commit_queue_new(api, &api->commits);
	if (!r)
		r = streams_new(api, &api->streams);
	if (!r)
		listen_to_tracker(api); /* what follows may write already */
	if (!r)
		r = build_coordination(api);
	if (!r)
		r = health_new(api->config.loop, api->quota, &api->health);
	if (!r)
		r = lock_deliveries_new(api->config.loop, &api->deliveries);
	return r;
}

int api_new(const struct api_config *config, int listen_fd, struct api **ret)
{
	_cleanup_close_ int fd = listen_fd;
	struct api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return -ENOMEM;
	api->config = *config;
	if (!api->config.request_timeout_ms)
		api->config.request_timeout_ms = API_REQUEST_TIMEOUT_S * 1000;
	api->explainer = (struct explainer){
		.inventory = config->inventory,
		.registry = config->registry,
		.report = sentinel_report(config->sentinel),
		.kernel = sentinel_kernel_source(config->sentinel),
	};
	signal(SIGPIPE, SIG_IGN);
	r = build(api);
	if (!r)
		r = connections_listen(api->connections, TAKE_FD(fd));
	if (r) {
		api_free(api);
		return r;
	}
	*ret = api;
	return 0;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	/* what was read is answered, committed and sent; streams end with their connections */
	api->ending = true;
	turns_finish(api->turns);
	commit_queue_free(api->commits);
	tracker_set_listener(api->config.tracker, NULL);
	if (api->http)
		evhttp_free(api->http);
	sessions_free(api->sessions);
	lock_deliveries_free(api->deliveries);
	locks_free(api->locks);
	process_watcher_free(api->processes);
	health_free(api->health); /* its checks ended with the connections */
	streams_free(api->streams);
	turns_free(api->turns);
	connections_free(api->connections);
	quota_free(api->quota);
	for (size_t i = 0; i < SERVER_CALLERS; i++)
		procfs_kept_deinit(&api->callers[i]);
	if (api->trim_memory)
		event_free(api->trim_memory);
	free(api);
}

struct api_counters api_counters(const struct api *api)
{
	return api->counters;
}

void api_watch_sessions(struct api *api)
{
	sessions_watch_all(api->sessions);
}
