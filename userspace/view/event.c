/* SPDX-License-Identifier: MIT */
#include "view/event.h"

#include <string.h>
#include <sys/wait.h>

#include "base/run.h"
#include "base/user.h"
#include "explain/brief.h"
#include "http/json.h"
#include "registry/history.h"
#include "registry/registry.h"

/*
 * The id of a service of which only the name may be left, as a user sees it: his own without his
 * name.  Returns ret, or id.
 */
static const char *past_id(const char *id, uid_t viewer, char ret[static IDENTITY_MAX + 1])
{
	const char *user = id ? strchr(id, '@') : NULL;

	return user && !strcmp(user + 1, user_word(viewer)) ? identity_bare(id, ret) : id;
}

struct json_object *view_entry(const void *what, uid_t viewer)
{
	const struct activity *entry = what;
	struct json_object *o = json_object_new_object();
	char id[IDENTITY_MAX + 1];

	json_add_int(o, "id", entry->id);
	json_add_int(o, "at", entry->timestamp);
	json_add_text(o, "action", activity_action_name(entry->action));
	json_add_text(o, "service", past_id(entry->service, viewer, id));
	json_add_text(o, "details", entry->details);
	json_add_known(o, "port", entry->port);
	json_add_known(o, "pid", entry->pid);
	json_add(o, "uid", entry->uid == PROCESS_UID_UNKNOWN ? NULL : json_int(entry->uid));
	json_add_text(o, "user", user_name(entry->uid));
	json_add_text(o, "comm", entry->comm);
	json_add_text(o, "errno", entry->error ? net_errno_name(entry->error) : NULL);
	return o;
}

struct json_object *view_entry_as_event(const void *what, uid_t viewer)
{
	const struct activity *entry = what;
	char id[IDENTITY_MAX + 1];
	struct json_object *o;

	/* a refusal comes as the kernel's own event, with the address that was asked for */
	if (entry->action == ACTIVITY_FAIL)
		return NULL;
	o = json_object_new_object();
	json_add_int(o, "at", entry->timestamp);
	json_add_text(o, "event", activity_action_name(entry->action));
	json_add_text(o, "service", past_id(entry->service, viewer, id));
	json_add_known(o, "port", entry->port);
	json_add_text(o, "details", entry->details);
	json_add_known(o, "pid", entry->pid);
	json_add_text(o, "comm", entry->comm);
	return o;
}

static struct json_object *view_end(const struct history_end *end)
{
	bool has_code = end->how == HISTORY_EXIT || end->how == HISTORY_SIGNAL;
	struct json_object *o;

	if (!end->at)
		return NULL;
	o = json_object_new_object();
	json_add_text(o, "how", history_how_name(end->how));
	json_add(o, "code", has_code ? json_int(end->code) : NULL);
	return o;
}

struct json_object *view_history(const struct history_entry *entry, uid_t viewer)
{
	struct json_object *o = json_object_new_object();
	char service[IDENTITY_MAX + 1];

	json_add_int(o, "port", entry->port);
	json_add_known(o, "askedPort", entry->asked_port);
	json_add_text(o, "proto", entry->proto);
	json_add_text(o, "addr", entry->addr);
	json_add_known(o, "netns", entry->netns);
	json_add_known(o, "pid", entry->process.pid);
	json_add_text(o, "comm", entry->comm);
	json_add_text(o, "user", user_name(entry->uid));
	json_add_text(o, "service", past_id(entry->service, viewer, service));
	json_add_known(o, "since", entry->since);
	json_add_known(o, "until", entry->end.at);
	json_add(o, "ended", view_end(&entry->end));
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

	json_add(o, "exitCode", WIFEXITED(status) ? json_int(WEXITSTATUS(status)) : NULL);
	json_add(o, "signal", WIFSIGNALED(status) ? json_int(WTERMSIG(status)) : NULL);
}

struct json_object *view_event(const struct view_event *what, uid_t viewer)
{
	const struct event *event = what->event;
	struct json_object *o;
	char id[IDENTITY_MAX + 1];
	char addr[NET_ADDR_STR_SIZE], run[RUN_ID_SIZE];
	bool has_socket = event->kind != EVENT_EXIT;
	/* a close is seen by cookie alone where nobody knew the socket: no port, no address */
	bool has_addr = has_socket && event->family && event->port;

	if (!is_shown(event->kind))
		return NULL;
	o = json_object_new_object();
	json_add_int(o, "at", what->at_unix);
	json_add_text(o, "event", event_kind_name(event->kind));
	json_add_text(o, "proto", has_socket ? net_protocol_name(event->protocol) : NULL);
	json_add_text(o, "addr",
		      has_addr ? net_addr_format(event->family, &event->addr, addr) : NULL);
	json_add_known(o, "port", has_socket ? event->port : 0);
	json_add_known(o, "askedPort", what->asked_port);
	json_add_known(o, "netns", event->netns);
	json_add_known(o, "pid", event->actor.pid);
	json_add_text(o, "comm", event->comm);
	json_add_text(o, "user", user_name(event->uid));
	json_add_text(o, "service", past_id(what->service, viewer, id));
	json_add_text(o, "run", event->named_run ? run_id_format(event->named_run, run) : NULL);
	json_add_text(o, "errno", event->error ? net_errno_name(event->error) : NULL);
	if (event->kind == EVENT_FAIL) {
		json_add_text(o, "call", event->call == EVENT_CALL_LISTEN ? "listen" : "bind");
		add_holder_in_the_way(o, what->obstacle);
	}
	if (what->warning)
		json_add_text(o, "warning", what->warning);
	if (event->kind == EVENT_EXIT)
		add_exit(o, event);
	return o;
}
