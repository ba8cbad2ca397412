/* SPDX-License-Identifier: MIT */
#include "api/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "api/log.h"
#include "api/state.h"
#include "api/view.h"
#include "base/cleanup.h"
#include "base/event.h"
#include "base/run.h"
#include "base/user.h"
#include "explain/brief.h"
#include "explain/two_servers.h"
#include "http/commit.h"
#include "http/watchers.h"

/* An entry of the audit trail looks like an event here. */
static struct json_object *event_of_entry(const void *what)
{
	const struct activity *entry = what;
	struct json_object *o;

	/* a refusal comes as the kernel's own event, with the address that was asked for */
	if (entry->action == ACTIVITY_FAIL)
		return NULL;
	o = json_object_new_object();
	json_add_int(o, "at", entry->timestamp);
	json_add_text(o, "event", activity_action_name(entry->action));
	json_add_text(o, "service", entry->service);
	json_add_known(o, "port", entry->port);
	json_add_text(o, "details", entry->details);
	json_add_known(o, "pid", entry->pid);
	json_add_text(o, "comm", entry->comm);
	return o;
}

/* The others are steps of the bookkeeping. */
static bool is_shown(enum event_kind kind)
{
	return kind == EVENT_BIND || kind == EVENT_LISTEN || kind == EVENT_CLOSE ||
	       kind == EVENT_FAIL || kind == EVENT_EXIT;
}

static void add_holder_in_the_way(struct json_object *o, const struct why_obstacle *obstacle)
{
	bool known = obstacle && obstacle->holder.pid;
	struct json_object *holder = json_add_object_if(o, "holder", known);

	if (!holder)
		return;
	json_add_int(holder, "pid", obstacle->holder.pid);
	json_add_text(holder, "comm", obstacle->comm);
}

static void add_exit(struct json_object *o, const struct event *event)
{
	int status = event->exit_code;

	json_add(o, "exitCode",
		 WIFEXITED(status) ? json_object_new_int(WEXITSTATUS(status)) : NULL);
	json_add(o, "signal", WIFSIGNALED(status) ? json_object_new_int(WTERMSIG(status)) : NULL);
}

static struct json_object *event_view(const void *what)
{
	const struct shown_event *shown = what;
	const struct event *event = shown->event;
	struct json_object *o;
	char addr[NET_ADDR_STR_SIZE], warning[TWO_SERVERS_WARNING_SIZE], run[RUN_ID_SIZE];
	bool has_socket = event->kind != EVENT_EXIT;
	/* a close is seen by cookie alone where nobody knew the socket: no port, no address */
	bool has_addr = has_socket && event->family && event->port;

	if (!is_shown(event->kind))
		return NULL;
	o = json_object_new_object();
	json_add_int(o, "at", shown->at_unix);
	json_add_text(o, "event", event_kind_name(event->kind));
	json_add_text(o, "proto", has_socket ? net_protocol_name(event->protocol) : NULL);
	json_add_text(o, "addr",
		      has_addr ? net_addr_format(event->family, &event->addr, addr) : NULL);
	json_add_known(o, "port", has_socket ? event->port : 0);
	json_add_known(o, "netns", event->netns);
	json_add_known(o, "pid", event->actor.pid);
	json_add_text(o, "comm", event->comm);
	json_add_text(o, "user", user_name(event->uid));
	json_add_text(o, "service", shown->service);
	json_add_text(o, "run", event->named_run ? run_id_format(event->named_run, run) : NULL);
	json_add_text(o, "errno", event->error ? net_errno_name(event->error) : NULL);
	if (event->kind == EVENT_FAIL) {
		json_add_text(o, "call", event->call == EVENT_CALL_LISTEN ? "listen" : "bind");
		add_holder_in_the_way(o, shown->obstacle);
	}
	if (event->kind == EVENT_LISTEN &&
	    two_servers_warning(shown->api->config.inventory, event->netns, event->protocol,
				event->port, warning))
		json_add_text(o, "warning", warning);
	if (event->kind == EVENT_EXIT)
		add_exit(o, event);
	return o;
}

/* --- who is told --- */

static bool accepts_entry(const void *filter, const void *what)
{
	const struct activity *entry = what;

	return activity_filter_accepts(filter, entry->action, entry->service, entry->port);
}

static bool accepts_event(const void *filter, const void *what)
{
	const struct events_filter *f = filter;
	const struct shown_event *shown = what;

	if (f->run && f->run != shown->event->named_run)
		return false;
	return activity_filter_accepts(&f->log.activity, -1, shown->service, shown->event->port);
}

static bool accepts_entry_as_event(const void *filter, const void *what)
{
	const struct events_filter *f = filter;

	return !f->run && accepts_entry(&f->log.activity, what);
}

static struct json_object *view_entry(const void *entry)
{
	return log_entry_view(entry, PROCESS_UID_UNKNOWN);
}

struct staged_entry {
	struct api *api;
	struct activity *entry;
};

static void on_committed(int error, void *user_data)
{
	static const struct watchers_show as_event = { accepts_entry_as_event, event_of_entry };
	static const struct watchers_show as_entry = { accepts_entry, view_entry };
	_cleanup_free_ struct staged_entry *staged = user_data;

	if (!error) {
		watchers_show(staged->api->events_watchers, &as_event, staged->entry);
		watchers_show(staged->api->activity_watchers, &as_entry, staged->entry);
	}
	free(staged->entry);
}

int streams_show_entry(struct api *api, const struct activity *entry)
{
	struct staged_entry *staged;
	int r;

	if (watchers_are_none(api->events_watchers) && watchers_are_none(api->activity_watchers))
		return 0;
	staged = calloc(1, sizeof(*staged));
	if (!staged)
		return -ENOMEM;
	staged->api = api;
	r = activity_copy(entry, &staged->entry);
	if (!r)
		r = commit_stage_call(server_commits(api->server), on_committed, staged);
	if (r) {
		free(staged->entry);
		free(staged);
	}
	return r;
}

void streams_show_event(const struct shown_event *shown)
{
	static const struct watchers_show how = { accepts_event, event_view };

	watchers_show(shown->api->events_watchers, &how, shown);
}
