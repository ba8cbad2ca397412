/* SPDX-License-Identifier: MIT */
/*
 * Remedies that act on processes.  Who would start a process again, or has it listen on behalf of
 * somebody else, is the one to ask; what may not act on a signal yet (stopped, frozen) is let go in
 * the same command, since the signal waits until then.
 */
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/procfs.h"
#include "base/user.h"
#include "explain/cgroup.h"
#include "explain/explain.h"
#include "explain/process.h"
#include "explain/remedies.h"
#include "explain/supervisor.h"

#define PROCESSES_LISTED 8  /* in one command; more pids than that nobody checks */
#define GROUPS_MAX	 64 /* of a user, looked through for the engine's */

static void describe(const struct why_facts *f, const struct process_id *id, struct process *ret)
{
	if (inventory_describe(f->inv, id, ret))
		return;
	*ret = (struct process){ .id = *id, .uid = PROCESS_UID_UNKNOWN };
	snprintf(ret->comm, sizeof(ret->comm), "%s", "the process");
}

static bool is_listed(const struct why_remedies *list, const char *command)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->list[i].command, command))
			return true;
	return false;
}

static bool is_pid1_among_holders(const struct why_facts *f)
{
	for (size_t i = 0; i < f->n_holdings; i++)
		if (f->holdings[i].holder->id.pid == 1)
			return true;
	return false;
}

/* --- containers --- */

/* The group "docker" may talk to its daemon. */
static bool is_in_group(uid_t uid, const char *name)
{
	gid_t wanted, groups[GROUPS_MAX];
	const struct passwd *user = getpwuid(uid);
	const struct group *group = user ? getgrnam(name) : NULL;
	int n = GROUPS_MAX;

	if (!group)
		return false;
	wanted = group->gr_gid;
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

/* An engine that runs without root is its user's. */
static const char *engine_sudo(const struct why_facts *f, const char *engine, bool own)
{
	return own || is_in_group(f->viewer, engine) ? "" : remedy_sudo(f);
}

static void stop_container(const struct why_facts *f, const struct cgroup_owner *owner,
			   const struct process *process, struct why_remedies *list)
{
	const char *sudo = engine_sudo(f, owner->engine, owner->of_user);
	bool paused = why_process_is_frozen(&process->id);
	char command[REMEDY_COMMAND_SIZE], unpause[64] = "";

	if (!strcmp(owner->engine, "crictl")) {
		snprintf(command, sizeof(command), "%scrictl ps --id %s", sudo, owner->container);
		if (!is_listed(list, command))
			remedy_add(
				list, command,
				"Kubernetes starts it again: find its pod here, then delete that "
				"or scale it down with kubectl");
		return;
	}
	/* a paused container cannot be stopped */
	if (paused)
		snprintf(unpause, sizeof(unpause), "%s%s unpause %s && ", sudo, owner->engine,
			 owner->container);
	snprintf(command, sizeof(command), "%s%s%s stop %s", unpause, sudo, owner->engine,
		 owner->container);
	if (!is_listed(list, command))
		remedy_add(list, command, "stop the container %s; killed, it may be started again",
			   owner->container);
}

/* A process that has the port for a container, which has to be stopped. */
static bool stop_forwarded(const struct why_facts *f, const struct process *process,
			   struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE], filter[64] = "";
	struct why_forward forward;
	const char *sudo;

	if (!why_forward_find(process, &forward))
		return false;
	sudo = engine_sudo(f, forward.engine, process->uid && process->uid == f->viewer);
	if (forward.lists_by_port)
		snprintf(filter, sizeof(filter), " --filter publish=%u%s", f->question.port,
			 f->question.protocol == IPPROTO_UDP ? "/udp" : "");
	snprintf(command, sizeof(command), "%s%s ps%s", sudo, forward.engine, filter);
	if (!is_listed(list, command))
		remedy_add(list, command,
			   "find the container that publishes port %u, then: %s%s stop NAME "
			   "(to kill %s would only cut it off)",
			   f->question.port, sudo, forward.engine, process->comm);
	return true;
}

/* --- managers --- */

/* "nginx.service", and its socket unit where systemd holds the socket as well. */
static void name_units(const struct why_facts *f, const char *unit, char *ret, size_t size)
{
	const char *dot = strrchr(unit, '.');
	/* systemd writes "-" as "\\x2d" */
	const char *quote = remedy_is_plain_word(unit) ? "" : "'";

	if (is_pid1_among_holders(f) && dot)
		snprintf(ret, size, "%s%.*s.socket%s %s%s%s", quote, (int)(dot - unit), unit, quote,
			 quote, unit, quote);
	else
		snprintf(ret, size, "%s%s%s", quote, unit, quote);
}

static void stop_unit(const struct why_facts *f, const struct cgroup_owner *owner,
		      const struct process *process, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE], units[REMEDY_COMMAND_SIZE / 2];
	const char *user = user_name(process->uid);

	if (owner->of_user && process->uid != f->viewer) {
		remedy_add(list, NULL, "ask user %s to stop the service %s",
			   user ? user : "unknown", owner->unit);
		return;
	}
	name_units(f, owner->unit, units, sizeof(units));
	snprintf(command, sizeof(command), "%ssystemctl%s stop %s",
		 owner->of_user ? "" : remedy_sudo(f), owner->of_user ? " --user" : "", units);
	if (!is_listed(list, command))
		remedy_add(list, command, "stop the service %s; killed, systemd may start it again",
			   owner->unit);
}

/* One that only the supervisor itself can be ended for; or its own command. */
static bool stop_by_supervisor(const struct why_facts *f, const struct process *process,
			       struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE];
	struct why_supervisor supervisor;

	if (!user_may_see(f->viewer, process->uid) || !why_supervisor_find(process, &supervisor))
		return false;
	if (supervisor.ends_it)
		snprintf(command, sizeof(command), "kill %d %d", supervisor.id.pid,
			 process->id.pid);
	else
		snprintf(command, sizeof(command), "%s", supervisor.command);
	if (is_listed(list, command))
		return true;
	if (supervisor.ends_it)
		remedy_add(list, command, "stop %s (%d) and first %s (%d), which starts it again",
			   process->comm, process->id.pid, supervisor.name, supervisor.id.pid);
	else
		remedy_add(list, *command ? command : NULL,
			   "stop it by %s, which starts it again when it is killed%s",
			   supervisor.name, supervisor.remark);
	return true;
}

/* True when somebody else than the process itself is to be asked. */
static bool stop_by_manager(const struct why_facts *f, const struct process *process,
			    struct why_remedies *list)
{
	struct cgroup_owner owner;

	cgroup_find(&process->id, &owner);
	if (*owner.container)
		stop_container(f, &owner, process, list);
	else if (stop_forwarded(f, process, list))
		return true; /* its unit is the engine's own: all containers would end with it */
	else if (*owner.unit && !strchr(owner.unit, '\''))
		stop_unit(f, &owner, process, list);
	else
		return stop_by_supervisor(f, process, list);
	return true;
}

/* --- everybody --- */

static void ask_its_user(const struct process *process, struct why_remedies *list)
{
	const char *user = user_name(process->uid);

	remedy_add(list, NULL, "%s (pid %d) is %s's: ask them to stop it", process->comm,
		   process->id.pid, user ? user : "another user");
}

/* What those that are killed together need before the signal reaches them. */
struct killing {
	char pids[REMEDY_COMMAND_SIZE / 4], stopped[REMEDY_COMMAND_SIZE / 4];
	char names[REMEDY_COMMAND_SIZE / 2];
	struct process_id frozen; /* pid 0 = none is */
	size_t n;
};

static void append(char *list, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void append(char *list, size_t size, const char *format, ...)
{
	size_t used = strlen(list);
	va_list args;

	va_start(args, format);
	vsnprintf(list + used, size - used, format, args);
	va_end(args);
}

static void add_process(struct killing *k, const struct process *process)
{
	append(k->pids, sizeof(k->pids), " %d", process->id.pid);
	append(k->names, sizeof(k->names), "%s%s (%d)", k->n ? ", " : "", process->comm,
	       process->id.pid);
	if (procfs_state(&process->id) == 'T')
		append(k->stopped, sizeof(k->stopped), " %d", process->id.pid);
	if (why_process_is_frozen(&process->id))
		k->frozen = process->id;
	k->n++;
}

static void add_killing(const struct why_facts *f, const struct killing *k,
			struct why_remedies *list)
{
	char command[2 * REMEDY_COMMAND_SIZE], thaw[REMEDY_COMMAND_SIZE];

	snprintf(command, sizeof(command), "kill%s", k->pids);
	if (*k->stopped)
		append(command, sizeof(command), " && kill -CONT%s", k->stopped);
	if (k->frozen.pid && *why_process_thaw(&k->frozen, remedy_sudo(f), thaw, sizeof(thaw)))
		append(command, sizeof(command), " && %s", thaw);
	remedy_add(list, command, *k->stopped || k->frozen.pid ? "or stop %s for good" : "stop %s",
		   k->names);
}

void remedy_stop(const struct why_facts *f, struct why_remedies *list)
{
	struct killing k = { .n = 0 };

	for (size_t i = 0; i < f->n_holdings && k.n < PROCESSES_LISTED; i++) {
		struct process process;

		describe(f, &f->holdings[i].holder->id, &process);
		if (process.id.pid == 1 || stop_by_manager(f, &process, list))
			continue;
		if (user_may_see(f->viewer, process.uid))
			add_process(&k, &process);
		else
			ask_its_user(&process, list);
	}
	if (k.n)
		add_killing(f, &k, list);
	else if (f->n_holdings == 1 && is_pid1_among_holders(f))
		remedy_add(list, "systemctl list-sockets",
			   "systemd itself listens for a service: find its .socket unit, and stop "
			   "that");
}

void remedy_show_hidden(const struct why_facts *f, struct why_remedies *list)
{
	if (*f->lift)
		remedy_add(list, *f->missing_command ? f->missing_command : NULL,
			   "%s, to see who has it", f->lift);
	else
		remedy_add(list, NULL, "look on the host, outside of every container");
}

void remedy_stop_or_show(const struct why_facts *f, struct why_remedies *list)
{
	if (f->n_holdings)
		remedy_stop(f, list);
	else
		remedy_show_hidden(f, list);
}

void remedy_resume(const struct why_facts *f, struct why_remedies *list)
{
	char command[REMEDY_COMMAND_SIZE] = "kill -CONT";
	struct process process;
	size_t n = 0;

	for (size_t i = 0; i < f->n_holdings && n < PROCESSES_LISTED; i++) {
		describe(f, &f->holdings[i].holder->id, &process);
		if (procfs_state(&process.id) != 'T' || !user_may_see(f->viewer, process.uid))
			continue;
		append(command, sizeof(command), " %d", process.id.pid);
		n++;
	}
	if (n)
		remedy_add(list, command,
			   "let it go on (or fg in its shell): it answers again, and keeps the "
			   "port");
}

void remedy_thaw(const struct why_facts *f, struct why_remedies *list)
{
	const struct process_id *id = f->n_holdings ? &f->holdings[0].holder->id : NULL;
	struct cgroup_owner owner;
	char command[REMEDY_COMMAND_SIZE] = "";

	if (!id)
		return;
	cgroup_find(id, &owner);
	if (*owner.container && owner.engine && strcmp(owner.engine, "crictl") != 0)
		snprintf(command, sizeof(command), "%s%s unpause %s",
			 engine_sudo(f, owner.engine, owner.of_user), owner.engine,
			 owner.container);
	else if (remedy_is_plain_word(owner.unit) && !owner.of_user)
		snprintf(command, sizeof(command), "%ssystemctl thaw %s", remedy_sudo(f),
			 owner.unit);
	else
		why_process_thaw(id, remedy_sudo(f), command, sizeof(command));
	remedy_add(list, *command ? command : NULL,
		   "thaw it: it answers again, and keeps the port");
}

/* SIGKILL alone reaches a process past its debugger. */
void remedy_detach(const struct why_facts *f, struct why_remedies *list)
{
	const struct process_id *id = f->n_holdings ? &f->holdings[0].holder->id : NULL;
	pid_t tracer = id ? why_process_tracer(id) : 0;
	char command[REMEDY_COMMAND_SIZE];
	struct process process;

	if (tracer)
		remedy_add(list, NULL, "let it go in its debugger (pid %d), or quit that", tracer);
	else
		remedy_add(list, NULL, "let it go in its debugger, or quit that");
	if (!id || f->n_holdings > 1)
		return;
	describe(f, id, &process);
	snprintf(command, sizeof(command), "kill -KILL %d", id->pid);
	if (user_may_see(f->viewer, process.uid))
		remedy_add(list, command, "end %s, whatever its debugger is at", process.comm);
}
