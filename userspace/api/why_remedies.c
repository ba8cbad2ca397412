/* SPDX-License-Identifier: MIT */
/*
 * What to do about a taken port.  Commands are printed only where they are right: no kill of
 * another user's process, no kill of a process that a service manager or a container engine would
 * start again at once, no `ss -K` on a listener (it ends the service and does not free the port).
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include "api/why.h"
#include "base/procfs.h"

#define COMMAND_SIZE	 384
#define PROCESSES_LISTED 8 /* remedies for more processes than that help nobody */

static void add(struct json_object *array, const char *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct json_object *array, const char *command, const char *format, ...)
{
	struct json_object *o = json_object_new_object();
	char text[COMMAND_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_add_text(o, "text", text);
	json_add_text(o, "command", command);
	json_append(array, o);
}

static void add_another_port(struct json_object *array)
{
	add(array, "pd claim NAME", "take another port, one that is free and stays yours");
}

/* The manager that would restart it is the one to ask.  True when there is one. */
static bool add_manager(const struct why_facts *f, const struct process_id *id, uid_t uid,
			struct json_object *array)
{
	const char *sudo = f->viewer == 0 ? "" : "sudo ";
	struct cgroup_owner owner;
	char command[COMMAND_SIZE];

	view_cgroup(id, &owner);
	if (*owner.container) {
		snprintf(command, sizeof(command), "%s %s %s", owner.engine, "stop",
			 owner.container);
		add(array, command, "stop the container %s", owner.container);
		return true;
	}
	if (!*owner.unit)
		return false;
	if (owner.of_user && uid != f->viewer) {
		add(array, NULL, "ask user %s to stop the service %s", view_user_name(uid),
		    owner.unit);
		return true;
	}
	snprintf(command, sizeof(command), "%ssystemctl%s stop %s", owner.of_user ? "" : sudo,
		 owner.of_user ? " --user" : "", owner.unit);
	add(array, command, "stop the service %s; killed, it may be started again", owner.unit);
	return true;
}

static void add_process(const struct why_facts *f, const struct process_id *id,
			struct json_object *array)
{
	struct process process;
	char command[COMMAND_SIZE];
	const char *user;

	if (!view_describe(f->inv, id, &process)) {
		process.uid = PROCESS_UID_UNKNOWN;
		snprintf(process.comm, sizeof(process.comm), "%s", "the process");
	}
	if (add_manager(f, id, process.uid, array))
		return;
	if (!view_may_see(f->viewer, process.uid)) {
		user = view_user_name(process.uid);
		add(array, NULL, "%s (%d) is %s%s's: ask them to stop it", process.comm, id->pid,
		    user ? "" : "another user", user ? user : "");
		return;
	}
	if (procfs_state(id) == 'T') {
		snprintf(command, sizeof(command), "kill -CONT %d", id->pid);
		add(array, command,
		    "%s (%d) was stopped by Ctrl-Z: let it go on (or fg in its shell)",
		    process.comm, id->pid);
	}
	snprintf(command, sizeof(command), "kill %d", id->pid);
	add(array, command, "stop %s (%d)", process.comm, id->pid);
}

static void stop_holders(const struct why_facts *f, struct json_object *array)
{
	for (size_t i = 0; i < f->n_holdings && i < PROCESSES_LISTED; i++)
		add_process(f, &f->holdings[i].holder->id, array);
	if (!f->n_holdings && f->viewer != 0)
		add(array, NULL, "its process is not visible to this daemon: look as root");
	add_another_port(array);
}

/* ss -K closes by filter; `sport` is our own side. */
static void add_close(const struct why_facts *f, const char *state, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "%sss -K -t state %s 'sport = :%u'",
		 f->viewer == 0 ? "" : "sudo ", state, f->question->port);
	add(array, command, "close what is left of it now");
}

static void wait_or_close(const struct why_facts *f, struct json_object *array)
{
	uint32_t most = 0;
	char age[32];

	for (size_t i = 0; i < f->n_shown; i++)
		if (f->shown[i]->timer_ms > most)
			most = f->shown[i]->timer_ms;
	add(array, NULL, "wait %s", why_age((most + 999) / 1000, age));
	add(array, NULL,
	    "set SO_REUSEADDR in the server: it helps when the old one and the new one both do");
	add_close(f, "time-wait", array);
}

static void close_connections(const struct why_facts *f, struct json_object *array)
{
	for (size_t i = 0; i < f->n_holdings && i < PROCESSES_LISTED; i++)
		add_process(f, &f->holdings[i].holder->id, array);
	add(array, NULL,
	    "set SO_REUSEADDR in the server: it helps when the old one and the new one both do");
	add_close(f, "connected", array);
	add_another_port(array);
}

static void leave_ephemeral_range(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	add(array, "pd claim NAME", "take a port that outgoing connections are never given");
	snprintf(command, sizeof(command), "%ssysctl net.ipv4.ip_local_reserved_ports=%u",
		 f->viewer == 0 ? "" : "sudo ", f->question->port);
	add(array, command,
	    "keep outgoing connections off it from now on (this replaces the ports reserved so "
	    "far: "
	    "add yours to those)");
	add_close(f, "connected", array);
}

static void enter_namespace(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	if (!f->n_holdings)
		return;
	snprintf(command, sizeof(command), "%snsenter -t %d -n ss -ltnup",
		 f->viewer == 0 ? "" : "sudo ", f->holdings[0].holder->id.pid);
	add(array, command, "look at the sockets of that namespace; here nothing need be done");
}

static void nothing(const struct why_facts *f, struct json_object *array)
{
}

static void look_as_root(const struct why_facts *f, struct json_object *array)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "%sss -tanup 'sport = :%u'",
		 f->viewer == 0 ? "" : "sudo ", f->question->port);
	add(array, command, "look at every socket of the port as root");
	add_another_port(array);
}

static void (*const remedies[])(const struct why_facts *, struct json_object *) = {
	[WHY_FREE] = nothing,
	[WHY_LISTENER] = stop_holders,
	[WHY_LISTENER_WILDCARD_OVERLAP] = stop_holders,
	[WHY_DUAL_STACK] = stop_holders,
	[WHY_BOUND_NOT_LISTENING] = stop_holders,
	[WHY_TIME_WAIT] = wait_or_close,
	[WHY_CONN_OF_CLOSED_LISTENER] = close_connections,
	[WHY_CONN_CLOSE_WAIT] = close_connections,
	[WHY_OUTGOING_CONNECTION] = leave_ephemeral_range,
	[WHY_UDP_BOUND] = stop_holders,
	[WHY_OTHER_NETNS] = enter_namespace,
	[WHY_UNKNOWN] = look_as_root,
};
_Static_assert(ARRAY_SIZE(remedies) == _WHY_VERDICT_MAX, "every verdict has its remedies");

void why_add_remedies(const struct why_facts *f, struct json_object *array)
{
	remedies[f->answer->verdict](f, array);
}
