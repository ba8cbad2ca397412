/* SPDX-License-Identifier: MIT */
#include "api/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "api/log.h"
#include "api/routes.h"
#include "api/state.h"
#include "api/view.h"
#include "base/log.h"
#include "explain/brief.h"
#include "explain/two_servers.h"
#include "http/answer.h"
#include "http/commit.h"
#include "http/lines.h"
#include "http/request.h"

struct watcher {
	struct watcher *next, *previous;
	struct streams *streams;
	struct lines *lines;
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

static void on_left(void *user_data)
{
	struct watcher *w = user_data;

	if (w->next)
		w->next->previous = w->previous;
	if (w->previous)
		w->previous->next = w->next;
	else
		w->streams->watchers = w->next;
	free(w);
}

static void say_hello(struct watcher *w)
{
	_cleanup_json_ struct json_object *hello = answer_ok_new();

	json_add_text(hello, "stream", w->events ? "events" : "activity");
	lines_put(w->lines, hello);
}

/* Takes the watcher over; from here on the connection's end frees it.  0, and else it is free. */
static int start(struct request *r, struct watcher *w)
{
	static const struct lines_calls calls = { .ended = on_left };
	struct streams *s = r->api->streams;
	int fault = lines_begin(r, &calls, w, &w->lines);

	if (fault) {
		free(w);
		return fault;
	}
	w->streams = s;
	w->next = s->watchers;
	if (w->next)
		w->next->previous = w;
	s->watchers = w;
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

static void stream_activity(struct streams *s, const struct activity *entry)
{
	_cleanup_json_ struct json_object *as_event = NULL;
	_cleanup_json_ struct json_object *as_entry = NULL;

	for (struct watcher *w = s->watchers; w; w = w->next) {
		/* a refusal comes as the kernel's own event, with the address that was asked for */
		if (w->events && entry->action == ACTIVITY_FAIL)
			continue;
		if (!activity_filter_accepts(&w->filter.activity, entry->action, entry->service))
			continue;
		if (w->events && !as_event)
			as_event = activity_as_event(entry);
		if (!w->events && !as_entry)
			as_entry = log_entry_view(s->api, entry);
		lines_put(w->lines, w->events ? as_event : as_entry);
	}
}

struct staged_activity {
	struct streams *streams;
	struct activity entry; /* its strings point into `text` */
	char text[];
};

static void on_committed(int error, void *user_data)
{
	_cleanup_free_ struct staged_activity *staged = user_data;

	if (!error)
		stream_activity(staged->streams, &staged->entry);
}

static struct staged_activity *copy_activity(const struct activity *entry)
{
	struct activity copy = *entry;
	const char **const texts[] = { &copy.service, &copy.details, &copy.comm, &copy.call,
				       &copy.addr };
	size_t sizes[ARRAY_SIZE(texts)], total = 0;
	struct staged_activity *staged;
	char *at;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		total += sizes[i] = *texts[i] ? strlen(*texts[i]) + 1 : 1;
	staged = calloc(1, sizeof(*staged) + total);
	if (!staged)
		return NULL;
	at = staged->text;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = memcpy(at, *texts[i] ? *texts[i] : "", sizes[i]);
		at += sizes[i];
	}
	staged->entry = copy;
	return staged;
}

int stream_activity_when_durable(struct streams *s, const struct activity *entry)
{
	struct staged_activity *staged = s->watchers ? copy_activity(entry) : NULL;
	int r;

	if (!staged)
		return s->watchers ? -ENOMEM : 0;
	staged->streams = s;
	r = commit_stage_call(server_commits(s->api->server), on_committed, staged);
	if (r)
		free(staged);
	return r;
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

	if (!s->watchers || !is_streamed(event->kind))
		return;
	for (struct watcher *w = s->watchers; w; w = w->next) {
		if (!w->events || !activity_filter_accepts(&w->filter.activity, -1, service))
			continue;
		if (!line)
			line = event_view(s->api, event, service, at_unix);
		lines_put(w->lines, line);
	}
}
