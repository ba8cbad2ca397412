/* SPDX-License-Identifier: MIT */
/*
 * Remedies that act on processes.  Who would start a process again, or has it listen on behalf of
 * somebody else, is the one to ask; what may not act on a signal yet (stopped, frozen) is let go in
 * the same command, since the signal waits until then.
 */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/user.h"
#include "explain/remedies.h"
#include "explain/template.h"

#define COMMAND_SIZE 512

static const char *name_of(const struct why_holder *h)
{
	return h->known ? h->process.comm : "the process";
}

static bool may_end(const struct why_facts *f, const struct why_holder *h)
{
	return user_may_see(f->viewer, h->process.uid);
}

/* Unless there are WHY_REMEDIES_MAX already; command NULL or "" = words only. */
static void add(struct why_remedies *list, const char *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct why_remedies *list, const char *command, const char *format, ...)
{
	struct why_remedy *new = &list->list[list->n];
	va_list args;

	if (list->n == WHY_REMEDIES_MAX)
		return;
	va_start(args, format);
	vsnprintf(new->text, sizeof(new->text), format, args);
	va_end(args);
	snprintf(new->command, sizeof(new->command), "%s", command ? command : "");
	list->n++;
}

static bool is_listed(const struct why_remedies *list, const char *command)
{
	for (size_t i = 0; i < list->n; i++)
		if (*command && !strcmp(list->list[i].command, command))
			return true;
	return false;
}

static bool is_pid1_among_holders(const struct why_facts *f)
{
	for (size_t i = 0; i < f->n_holders; i++)
		if (f->holders[i].process.id.pid == 1)
			return true;
	return false;
}

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

/* --- containers --- */

/* An engine that runs without root is its user's. */
static const char *engine_sudo(const struct why_facts *f, const struct why_holder *h, bool own)
{
	return own || h->runs_engine ? "" : why_sudo(f);
}

static void stop_container(const struct why_facts *f, const struct why_holder *h,
			   struct why_remedies *list)
{
	const char *engine = h->cgroup.engine, *id = h->cgroup.container;
	const char *sudo = engine_sudo(f, h, h->cgroup.of_user);
	char command[COMMAND_SIZE] = "";

	if (!strcmp(engine, "crictl")) {
		snprintf(command, sizeof(command), "%scrictl ps --id %s", sudo, id);
		if (!is_listed(list, command))
			add(list, command,
			    "Kubernetes starts it again: find its pod here, then delete "
			    "that or scale it down with kubectl");
		return;
	}
	/* a paused container cannot be stopped */
	if (h->freezer)
		snprintf(command, sizeof(command), "%s%s unpause %s && ", sudo, engine, id);
	append(command, sizeof(command), "%s%s stop %s", sudo, engine, id);
	if (!is_listed(list, command))
		add(list, command, "stop the container %s; killed, it may be started again", id);
}

/* A process that has the port for a container, which has to be stopped. */
static void stop_forwarded(const struct why_facts *f, const struct why_holder *h,
			   struct why_remedies *list)
{
	const struct why_forward *forward = &h->forward;
	bool own = h->process.uid && h->process.uid == f->viewer;
	const char *sudo = engine_sudo(f, h, own);
	char command[COMMAND_SIZE], filter[64] = "";

	if (forward->lists_by_port)
		snprintf(filter, sizeof(filter), " --filter publish=%u%s", f->question.port,
			 f->question.protocol == IPPROTO_UDP ? "/udp" : "");
	snprintf(command, sizeof(command), "%s%s ps%s", sudo, forward->engine, filter);
	if (!is_listed(list, command))
		add(list, command,
		    "find the container that publishes port %u, then: %s%s stop NAME "
		    "(to kill %s would only cut it off)",
		    f->question.port, sudo, forward->engine, h->process.comm);
}

/* --- managers --- */

/* "nginx.service", and its socket unit where systemd holds the socket as well. */
static void name_units(const struct why_facts *f, const char *unit, char *ret, size_t size)
{
	const char *dot = strrchr(unit, '.');
	/* systemd writes "-" as "\\x2d" */
	const char *quote = text_is_shell_word(unit) ? "" : "'";

	if (is_pid1_among_holders(f) && dot)
		snprintf(ret, size, "%s%.*s.socket%s %s%s%s", quote, (int)(dot - unit), unit, quote,
			 quote, unit, quote);
	else
		snprintf(ret, size, "%s%s%s", quote, unit, quote);
}

static void stop_unit(const struct why_facts *f, const struct why_holder *h,
		      struct why_remedies *list)
{
	const struct cgroup_owner *owner = &h->cgroup;
	char command[COMMAND_SIZE], units[COMMAND_SIZE / 2];

	if (owner->of_user && h->process.uid != f->viewer) {
		add(list, NULL, "ask user %s to stop the service %s",
		    *h->user ? h->user : "unknown", owner->unit);
		return;
	}
	name_units(f, owner->unit, units, sizeof(units));
	snprintf(command, sizeof(command), "%ssystemctl%s stop %s",
		 owner->of_user ? "" : why_sudo(f), owner->of_user ? " --user" : "", units);
	if (!is_listed(list, command))
		add(list, command, "stop the service %s; killed, systemd may start it again",
		    owner->unit);
}

/* One that only the supervisor itself can be ended for; or its own command. */
static void stop_by_supervisor(const struct why_holder *h, struct why_remedies *list)
{
	const struct why_supervisor *s = &h->supervisor;
	char command[COMMAND_SIZE];

	if (s->ends_it)
		snprintf(command, sizeof(command), "kill %d %d", s->id.pid, h->process.id.pid);
	else
		snprintf(command, sizeof(command), "%s", s->command);
	if (is_listed(list, command))
		return;
	if (s->ends_it)
		add(list, command, "stop %s (%d) and first %s (%d), which starts it again",
		    h->process.comm, h->process.id.pid, s->name, s->id.pid);
	else
		add(list, command, "stop it by %s, which starts it again when it is killed%s",
		    s->name, s->remark);
}

/* True when somebody else than the process itself is to be asked. */
static bool stop_by_manager(const struct why_facts *f, const struct why_holder *h,
			    struct why_remedies *list)
{
	if (*h->cgroup.container)
		stop_container(f, h, list);
	else if (h->forwards) /* its unit is the engine's own: all containers would end with it */
		stop_forwarded(f, h, list);
	else if (*h->cgroup.unit && !strchr(h->cgroup.unit, '\''))
		stop_unit(f, h, list);
	else if (h->supervised && may_end(f, h))
		stop_by_supervisor(h, list);
	else
		return false;
	return true;
}

/* --- everybody --- */

static void ask_its_user(const struct why_holder *h, struct why_remedies *list)
{
	add(list, NULL, "%s (pid %d) is %s's: ask them to stop it", name_of(h), h->process.id.pid,
	    *h->user ? h->user : "another user");
}

/* What those that are killed together need before the signal reaches them. */
struct killing {
	char pids[COMMAND_SIZE / 4], stopped[COMMAND_SIZE / 4];
	char names[COMMAND_SIZE / 2];
	const struct why_holder *frozen; /* NULL = none is */
	size_t n;
};

static void add_process(struct killing *k, const struct why_holder *h)
{
	pid_t pid = h->process.id.pid;

	append(k->pids, sizeof(k->pids), " %d", pid);
	append(k->names, sizeof(k->names), "%s%s (%d)", k->n ? ", " : "", name_of(h), pid);
	if (h->state == 'T')
		append(k->stopped, sizeof(k->stopped), " %d", pid);
	if (h->freezer)
		k->frozen = h;
	k->n++;
}

/* The command that thaws its cgroup; "" where there is none.  Returns ret. */
static char *thaw_command(const struct why_facts *f, const struct why_holder *h, char *ret)
{
	int n = 0;

	ret[0] = '\0';
	/* a quote in the path, or a path cut short, would make another command of it */
	if (h->freezer && !strchr(h->freezer, '\''))
		n = snprintf(ret, COMMAND_SIZE, "echo %s | %stee '%s'", h->thaw, why_sudo(f),
			     h->freezer);
	if (n >= COMMAND_SIZE)
		ret[0] = '\0';
	return ret;
}

static void add_killing(const struct why_facts *f, const struct killing *k,
			struct why_remedies *list)
{
	char command[2 * COMMAND_SIZE], thaw[COMMAND_SIZE];

	snprintf(command, sizeof(command), "kill%s", k->pids);
	if (*k->stopped)
		append(command, sizeof(command), " && kill -CONT%s", k->stopped);
	if (k->frozen && *thaw_command(f, k->frozen, thaw))
		append(command, sizeof(command), " && %s", thaw);
	add(list, command, *k->stopped || k->frozen ? "or stop %s for good" : "stop %s", k->names);
}

void remedy_stop(const struct why_facts *f, struct why_remedies *list)
{
	struct killing k = { .n = 0 };

	for (size_t i = 0; i < f->n_holders && k.n < WHY_ENDED_MAX; i++) {
		const struct why_holder *h = &f->holders[i];

		if (h->process.id.pid == 1 || stop_by_manager(f, h, list))
			continue;
		if (may_end(f, h))
			add_process(&k, h);
		else
			ask_its_user(h, list);
	}
	if (k.n)
		add_killing(f, &k, list);
	else if (f->n_holders == 1 && is_pid1_among_holders(f))
		add(list, "systemctl list-sockets",
		    "systemd itself listens for a service: find its .socket unit, and stop "
		    "that");
}

void remedy_resume(const struct why_facts *f, struct why_remedies *list)
{
	char command[COMMAND_SIZE] = "kill -CONT";
	size_t n = 0;

	for (size_t i = 0; i < f->n_holders && n < WHY_ENDED_MAX; i++) {
		const struct why_holder *h = &f->holders[i];

		if (h->state != 'T' || !may_end(f, h))
			continue;
		append(command, sizeof(command), " %d", h->process.id.pid);
		n++;
	}
	if (n)
		add(list, command,
		    "let it go on (or fg in its shell): it answers again, and keeps the "
		    "port");
}

void remedy_thaw(const struct why_facts *f, struct why_remedies *list)
{
	const struct why_holder *h = f->n_holders ? &f->holders[0] : NULL;
	char command[COMMAND_SIZE] = "";

	if (!h)
		return;
	if (h->cgroup.engine && strcmp(h->cgroup.engine, "crictl") != 0)
		snprintf(command, sizeof(command), "%s%s unpause %s",
			 engine_sudo(f, h, h->cgroup.of_user), h->cgroup.engine,
			 h->cgroup.container);
	else if (text_is_shell_word(h->cgroup.unit) && !h->cgroup.of_user)
		snprintf(command, sizeof(command), "%ssystemctl thaw %s", why_sudo(f),
			 h->cgroup.unit);
	else
		thaw_command(f, h, command);
	add(list, command, "thaw it: it answers again, and keeps the port");
}

/* SIGKILL alone reaches a process past its debugger. */
void remedy_detach(const struct why_facts *f, struct why_remedies *list)
{
	const struct why_holder *h = f->n_holders == 1 ? &f->holders[0] : NULL;
	char command[COMMAND_SIZE];

	if (f->tracer)
		add(list, NULL, "let it go in its debugger (pid %d), or quit that", f->tracer);
	else
		add(list, NULL, "let it go in its debugger, or quit that");
	if (!h || !may_end(f, h))
		return;
	snprintf(command, sizeof(command), "kill -KILL %d", h->process.id.pid);
	add(list, command, "end %s, whatever its debugger is at", name_of(h));
}
