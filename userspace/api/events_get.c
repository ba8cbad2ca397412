/* SPDX-License-Identifier: MIT */
/* GET /v1/events: a line for each event of the kernel and each entry: pd watch. */
#include <stdio.h>
#include <sys/wait.h>

#include "api/log.h"
#include "api/routes.h"
#include "api/run_number.h"
#include "api/state.h"
#include "api/streams.h"
#include "explain/brief.h"
#include "explain/two_servers.h"
#include "http/watchers.h"

static param_read read_pattern;

ROUTE(events_get, GET, "/v1/events", struct events_filter,
      PARAM_ROW("pattern", read_pattern, struct events_filter, log, struct log_filter,
		.check = pattern_check, .cannot = "read", .advice = "write one like myapp:*"),
      PARAM_RUN("run", struct events_filter, run));

static int read_pattern(struct request *r, const struct param *p, const struct param_value *value,
			void *ret)
{
	struct log_filter *filter = ret;
	const char *pattern;
	int fault = param_text(r, p, value, &pattern);

	if (fault)
		return fault;
	snprintf(filter->text, sizeof(filter->text), "%s", pattern);
	filter->activity.subjects[0] = filter->text;
	if (pattern_has_wildcard(pattern))
		return 0;
	filter->activity.subjects[0] = filter->ids[0];
	return registry_meant_id(r->api->config.registry, pattern, request_user(r), filter->ids[0]);
}

/* An entry of the audit trail looks like an event here. */
struct json_object *events_view_entry(const void *what)
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

struct json_object *events_view_event(const void *what)
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

static int handle(struct request *r)
{
	return watchers_add(r->api->events_watchers, r, r->params);
}
