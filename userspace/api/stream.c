/* SPDX-License-Identifier: MIT */
#include "api/stream.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <string.h>
#include <sys/wait.h>

#include "api/connections.h"
#include "api/json.h"
#include "api/lines.h"
#include "api/log.h"
#include "api/request.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/view.h"
#include "base/log.h"
#include "explain/brief.h"
#include "explain/two_servers.h"

/* What a watcher may send us after its request before we stop reading from it.  Nobody reads it. */
#define WATCHER_INPUT_MAX_BYTES 4096

struct watcher {
	struct watcher *next, *previous;
	struct streams *streams;
	struct lines lines;
	bool events; /* kernel events and activity; else activity only */
	struct log_filter filter;
};

struct streams {
	struct api *api;
	struct watcher *watchers;
};

int streams_new(struct api *api, struct streams **ret)
{
	struct streams *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->api = api;
	*ret = s;
	return 0;
}

void streams_free(struct streams *s)
{
	free(s);
}

/* --- one watcher --- */

static void on_close(struct evhttp_connection *connection, void *user_data)
{
	struct watcher *w = user_data;

	/*
	 * When the client left, evhttp has taken the request off the connection and nobody else
	 * frees it; when the connection is freed by us, it frees its requests itself.
	 */
	if (!evhttp_request_get_connection(w->lines.http))
		evhttp_request_free(w->lines.http);
	lines_deinit(&w->lines);
	if (w->next)
		w->next->previous = w->previous;
	if (w->previous)
		w->previous->next = w->next;
	else
		w->streams->watchers = w->next;
	free(w);
}

/* Sends one line, or ends the watcher (and frees it) when too much waits for it already. */
static void send_line(struct watcher *w, struct json_object *line)
{
	struct api *api = w->streams->api;

	if (!lines_put(&w->lines, line))
		return;
	log_info("a watcher that reads too slowly was disconnected");
	api->counters.dropped_watchers++;
	evhttp_connection_free(evhttp_request_get_connection(w->lines.http));
}

static void say_hello(struct watcher *w)
{
	_cleanup_json_ struct json_object *hello = json_object_new_object();

	json_add_bool(hello, "ok", true);
	json_add_int(hello, "version", API_VERSION);
	json_add_text(hello, "stream", w->events ? "events" : "activity");
	send_line(w, hello);
}

/* Takes the watcher over; from here on the connection's end frees it.  0, and else it is free. */
static int start(struct request *r, struct watcher *w)
{
	static const struct timeval write_timeout = { .tv_sec = API_REQUEST_TIMEOUT_S };
	struct streams *s = r->api->streams;
	struct evhttp_connection *connection = evhttp_request_get_connection(r->http);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);

	if (lines_init(&w->lines, r->api, r->http)) {
		free(w);
		return -ENOMEM;
	}
	w->streams = s;
	w->next = s->watchers;
	if (w->next)
		w->next->previous = w;
	s->watchers = w;
	r->taken = true;
	r->trace.waits = true;
	metrics_answered(r->api, &r->trace, OUTCOME_OK);

	connection_on_end(w->lines.connection, on_close, w);
	evhttp_add_header(evhttp_request_get_output_headers(r->http), "Content-Type",
			  "application/x-ndjson");
	evhttp_send_reply_start(r->http, HTTP_OK, NULL);
	/* evhttp reads on to learn of the end: a watcher says nothing for hours, or too much */
	bufferevent_set_timeouts(bev, NULL, &write_timeout);
	bufferevent_setwatermark(bev, EV_READ, 0, WATCHER_INPUT_MAX_BYTES);
	say_hello(w);
	return 0;
}

int stream_events_get(struct request *r)
{
	const char *pattern = request_param(r, "pattern"), *why;
	struct watcher *w;

	if (pattern && pattern_check(pattern, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "pattern \"%.64s\" cannot be read: %s; write one like myapp:*",
				    pattern, why);
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->events = true;
	if (pattern) {
		snprintf(w->filter.text, sizeof(w->filter.text), "%s", pattern);
		w->filter.activity.subjects[0] = w->filter.text;
	}
	return start(r, w);
}

int stream_activity_get(struct request *r)
{
	struct watcher *w = calloc(1, sizeof(*w));
	int fault;

	if (!w)
		return -ENOMEM;
	fault = log_filter_parse(r, request_param(r, "filter"), &w->filter);
	if (!fault)
		return start(r, w);
	free(w);
	return fault;
}

/* --- activity --- */

/* In the stream of events an entry of the audit trail looks like an event. */
static struct json_object *activity_as_event(const struct activity *entry)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "at", entry->timestamp);
	json_add_text(o, "event", activity_action_name(entry->action));
	json_add_text(o, "service", entry->service);
	json_add_known(o, "port", entry->port);
	json_add_text(o, "details", entry->details);
	json_add_known(o, "pid", entry->pid);
	json_add_text(o, "comm", entry->comm);
	return o;
}

void stream_activity(struct streams *s, const struct activity *entry)
{
	_cleanup_json_ struct json_object *as_event = NULL;
	_cleanup_json_ struct json_object *as_entry = NULL;
	struct watcher *next;

	for (struct watcher *w = s->watchers; w; w = next) {
		next = w->next;
		/* a refusal comes as the kernel's own event, with the address that was asked for */
		if (w->events && entry->action == ACTIVITY_FAIL)
			continue;
		if (!activity_filter_accepts(&w->filter.activity, entry->action, entry->service))
			continue;
		if (w->events && !as_event)
			as_event = activity_as_event(entry);
		if (!w->events && !as_entry)
			as_entry = log_entry_view(s->api, entry);
		send_line(w, w->events ? as_event : as_entry);
	}
}

bool streams_are_watched(const struct streams *s)
{
	return s->watchers != NULL;
}

/* --- kernel events --- */

/* The others are steps of the bookkeeping. */
static bool is_streamed(enum event_kind kind)
{
	return kind == EVENT_BIND || kind == EVENT_LISTEN || kind == EVENT_CLOSE ||
	       kind == EVENT_FAIL || kind == EVENT_EXIT;
}

static void add_holder_in_the_way(struct json_object *o, const struct api *api,
				  const struct event *event)
{
	const struct inventory *inv = api->config.inventory;
	struct why_obstacle obstacle;
	const struct process_id *id;
	struct json_object *holder;
	char comm[PROCESS_COMM_SIZE];

	if (!why_in_the_way(event, inv, &obstacle) || !obstacle.row || !obstacle.row->n_holders)
		return;
	id = &obstacle.row->holders[0].id;
	holder = json_add_object(o, "holder");
	json_add_int(holder, "pid", id->pid);
	json_add_text(holder, "comm", inventory_process_name(inv, id, comm));
}

static void add_exit(struct json_object *o, const struct event *event)
{
	int status = event->exit_code;

	json_add(o, "exitCode",
		 WIFEXITED(status) ? json_object_new_int(WEXITSTATUS(status)) : NULL);
	json_add(o, "signal", WIFSIGNALED(status) ? json_object_new_int(WTERMSIG(status)) : NULL);
}

static struct json_object *event_view(const struct api *api, const struct event *event,
				      const char *service, int64_t at_unix)
{
	struct json_object *o = json_object_new_object();
	char addr[NET_ADDR_STR_SIZE], warning[TWO_SERVERS_WARNING_SIZE];
	bool has_socket = event->kind != EVENT_EXIT;
	/* a close is seen by cookie alone where nobody knew the socket: no port, no address */
	bool has_addr = has_socket && event->family && event->port;

	json_add_int(o, "at", at_unix);
	json_add_text(o, "event", event_kind_name(event->kind));
	json_add_text(o, "proto", has_socket ? net_protocol_name(event->protocol) : NULL);
	json_add_text(o, "addr",
		      has_addr ? net_addr_format(event->family, &event->addr, addr) : NULL);
	json_add_known(o, "port", has_socket ? event->port : 0);
	json_add_known(o, "netns", event->netns);
	json_add_known(o, "pid", event->actor.pid);
	json_add_text(o, "comm", event->comm);
	json_add_text(o, "user", user_name(event->uid));
	json_add_text(o, "service", service);
	json_add_text(o, "errno", event->error ? net_errno_name(event->error) : NULL);
	if (event->kind == EVENT_FAIL) {
		json_add_text(o, "call", event->call == EVENT_CALL_LISTEN ? "listen" : "bind");
		add_holder_in_the_way(o, api, event);
	}
	if (event->kind == EVENT_LISTEN &&
	    two_servers_warning(api->config.inventory, event->netns, event->protocol, event->port,
				warning))
		json_add_text(o, "warning", warning);
	if (event->kind == EVENT_EXIT)
		add_exit(o, event);
	return o;
}

void stream_event(struct streams *s, const struct event *event, const char *service,
		  int64_t at_unix)
{
	_cleanup_json_ struct json_object *line = NULL;
	struct watcher *next;

	if (!s->watchers || !is_streamed(event->kind))
		return;
	for (struct watcher *w = s->watchers; w; w = next) {
		next = w->next;
		if (!w->events || !activity_filter_accepts(&w->filter.activity, -1, service))
			continue;
		if (!line)
			line = event_view(s->api, event, service, at_unix);
		send_line(w, line);
	}
}
