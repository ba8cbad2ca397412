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

#define COMMAND_SIZE WHY_REMEDY_COMMAND_SIZE
#define PART_SIZE    512 /* of a command, before who runs it stands around it */

static const char *name_of(const struct why_holder *h)
{
	return h->known ? h->process.comm : "the process";
}

static const char *user_of(const struct why_holder *h)
{
	return *h->user ? h->user : "another user";
}

static bool may_end(const struct why_facts *f, const struct why_holder *h)
{
	return !h->ended && user_may_see(f->viewer, h->process.uid);
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

/* NULL where there are WHY_REMEDIES_MAX already, or this one is; command NULL or "" = words only.
 */
static struct why_remedy *add(struct why_remedies *list, const char *command, const char *format,
			      ...) __attribute__((format(printf, 3, 4)));

static struct why_remedy *add(struct why_remedies *list, const char *command, const char *format,
			      ...)
{
	struct why_remedy *new = &list->list[list->n];
	va_list args;

	for (size_t i = 0; command && *command && i < list->n; i++)
		if (!strcmp(list->list[i].command, command))
			return NULL;
	if (list->n == WHY_REMEDIES_MAX)
		return NULL;
	*new = (struct why_remedy){ .passing = true };
	va_start(args, format);
	vsnprintf(new->text, sizeof(new->text), format, args);
	va_end(args);
	/* half a command is another one */
	if (command && strlen(command) < sizeof(new->command))
		strcpy(new->command, command);
	list->n++;
	return new;
}

/* The command of the remedy ends this process, and what that serves elsewhere. */
static void note_end(struct why_remedy *remedy, pid_t pid, const struct why_hits *hits)
{
	if (!remedy)
		return;
	if (remedy->n_kills < WHY_KILLS_MAX)
		remedy->kills[remedy->n_kills++] = pid;
	why_hits_add(&remedy->hits, hits);
}

/* "; that also ends port 3001 of node (4711)" */
static void say_hits(struct why_remedy *remedy)
{
	const struct why_hits *hits = remedy ? &remedy->hits : NULL;

	for (size_t i = 0; hits && i < hits->n; i++) {
		const struct why_hit *hit = &hits->list[i];

		append(remedy->text, sizeof(remedy->text), "%s port%s",
		       i ? "," : "; that also ends", hit->n_ports > 1 ? "s" : "");
		for (size_t j = 0; j < hit->n_ports; j++)
			append(remedy->text, sizeof(remedy->text), "%s%u", j ? ", " : " ",
			       hit->ports[j]);
		append(remedy->text, sizeof(remedy->text), "%s of %s (%d)",
		       hit->more_ports ? " and more" : "", hit->comm, hit->pid);
	}
	if (hits && hits->more)
		append(remedy->text, sizeof(remedy->text), " and others");
}

static bool is_pid1_among_holders(const struct why_facts *f)
{
	for (size_t i = 0; i < f->n_holders; i++)
		if (f->holders[i].process.id.pid == 1)
			return true;
	return false;
}

/* --- who runs the command -------------------------------------------------------------------- */

/*
 * The command as somebody has to run it who is not `uid`: root's by sudo, a user's as that user.
 * False where no command can name that user.
 */
static bool run_as(const struct why_facts *f, uid_t uid, const char *command, char *ret)
{
	const char *user = uid == f->viewer ? NULL : user_name(uid);
	bool simple = !strpbrk(command, "$|&=");
	char quoted[COMMAND_SIZE];
	int n;

	if (uid != f->viewer && (!user || !text_is_shell_word(user)))
		return false;
	if (uid == f->viewer)
		n = snprintf(ret, COMMAND_SIZE, "%s", command);
	else if (simple)
		n = snprintf(ret, COMMAND_SIZE, "sudo%s%s %s", uid ? " -u " : "", uid ? user : "",
			     command);
	else if (text_shell_quote(command, quoted, sizeof(quoted)))
		n = snprintf(ret, COMMAND_SIZE, "sudo%s%s sh -c %s", uid ? " -u " : "",
			     uid ? user : "", quoted);
	else
		return false;
	return n < COMMAND_SIZE;
}

/* Whose engine is asked.  A group may talk to root's without sudo. */
static uid_t engine_user(const struct why_facts *f, const struct why_holder *h)
{
	uid_t uid = h->forwards ? h->forward.uid : h->cgroup.of_user ? h->cgroup.uid : 0;

	return uid == 0 && h->runs_engine ? f->viewer : uid;
}

static bool run_by_engine(const struct why_facts *f, const struct why_holder *h,
			  const char *command, char *ret)
{
	return run_as(f, engine_user(f, h), command, ret);
}

/* --- containers ------------------------------------------------------------------------------ */

static void stop_container(const struct why_facts *f, const struct why_holder *h,
			   struct why_remedies *list)
{
	const char *engine = h->cgroup.engine, *id = h->cgroup.container;
	char part[PART_SIZE], command[COMMAND_SIZE] = "";
	struct why_remedy *new;

	if (!strcmp(engine, "crictl")) {
		snprintf(part, sizeof(part), "crictl ps --id %s", id);
		run_by_engine(f, h, part, command);
		add(list, command,
		    "Kubernetes starts it again: find its pod here, then delete "
		    "that or scale it down with kubectl");
		return;
	}
	/* a paused container cannot be stopped */
	snprintf(part, sizeof(part), "%s stop %s", engine, id);
	if (!run_by_engine(f, h, part, command)) {
		add(list, NULL, "stop the container %s in its user's %s", id, engine);
		return;
	}
	if (h->freezer) {
		snprintf(part, sizeof(part), "%.*sunpause %s && %s",
			 (int)(strstr(command, "stop ") - command), command, id, command);
		strcpy(command, part);
	}
	new = add(list, command, "stop the container %s; killed, it may be started again", id);
	note_end(new, h->process.id.pid, &h->hits);
	say_hits(new);
}

/* Containers on other addresses of the machine may publish the same port. */
static bool is_only_container(const struct why_facts *f, const struct why_holder *h)
{
	const struct why_forward *a = &h->forward, *b;

	for (size_t i = 0; i < f->n_holders; i++) {
		b = &f->holders[i].forward;
		if (f->holders[i].forwards && a->family == b->family &&
		    (memcmp(&a->addr, &b->addr, sizeof(a->addr)) != 0 || a->port != b->port))
			return false;
	}
	return true;
}

/* The container is found by the port that it publishes. */
static void write_forwarded(const struct why_facts *f, const struct why_holder *h, char *ret)
{
	const char *proto = f->question.protocol == IPPROTO_UDP ? "udp" : "tcp";
	const struct why_forward *forward = &h->forward;
	char engine[64], list[PART_SIZE / 2];

	snprintf(engine, sizeof(engine), "%s", forward->engine);
	if (forward->lists_by_port && forward->uid && forward->uid != f->viewer)
		append(engine, sizeof(engine), " -H unix:///run/user/%u/docker.sock", forward->uid);
	if (*forward->container) {
		snprintf(ret, PART_SIZE, "%s stop %s", engine, forward->container);
		return;
	}
	if (forward->lists_by_port)
		snprintf(list, sizeof(list), "--filter publish=%u%s", f->question.port,
			 f->question.protocol == IPPROTO_UDP ? "/udp" : "");
	if (!is_only_container(f, h))
		snprintf(ret, PART_SIZE, "%s ps%s%s", engine, forward->lists_by_port ? " " : "",
			 forward->lists_by_port ? list : "");
	else if (forward->lists_by_port)
		snprintf(ret, PART_SIZE, "%s stop $(%s ps -q %s)", engine, engine, list);
	else
		snprintf(ret, PART_SIZE,
			 "%s stop $(%s ps --format '{{.ID}} {{.Ports}}' | "
			 "awk '/:%u->[0-9]+\\/%s/ {print $1}')",
			 engine, engine, f->question.port, proto);
}

/* A process that has the port for a container, which has to be stopped. */
static void stop_forwarded(const struct why_facts *f, const struct why_holder *h,
			   struct why_remedies *list)
{
	char part[PART_SIZE], command[COMMAND_SIZE] = "";

	if (h->forward.is_api) {
		add(list, NULL,
		    "it is %s's own API: take tcp://…:%u out of dockerd's -H options, or of "
		    "\"hosts\" in /etc/docker/daemon.json, and restart the service docker",
		    h->forward.engine, f->question.port);
		return;
	}
	write_forwarded(f, h, part);
	if (!run_by_engine(f, h, part, command))
		add(list, NULL, "ask user %s to stop the container that publishes port %u",
		    user_of(h), f->question.port);
	else if (is_only_container(f, h))
		add(list, command,
		    "stop the container that publishes port %u (to kill %s would only cut it off)",
		    f->question.port, h->process.comm);
	else
		add(list, command,
		    "find the container that publishes port %u, then: %s stop NAME (to kill %s "
		    "would only cut it off)",
		    f->question.port, h->forward.engine, h->process.comm);
}

/* --- managers -------------------------------------------------------------------------------- */

/* "nginx.service", and its socket unit where systemd holds the socket as well; false where no
 * command can name it. */
static bool name_units(const struct why_facts *f, const char *unit, char *ret, size_t size)
{
	const char *dot = strrchr(unit, '.');
	char socket[CGROUP_UNIT_SIZE + 8], quoted[PART_SIZE / 2];

	*ret = '\0';
	if (!text_shell_quote(unit, quoted, sizeof(quoted)))
		return false;
	if (is_pid1_among_holders(f) && dot) {
		snprintf(socket, sizeof(socket), "%.*s.socket", (int)(dot - unit), unit);
		if (!text_shell_quote(socket, ret, size))
			return false;
		append(ret, size, " ");
	}
	append(ret, size, "%s", quoted);
	return strlen(ret) < size - 1;
}

/* Root reaches the manager of another user by that user's name. */
static void stop_unit(const struct why_facts *f, const struct why_holder *h,
		      struct why_remedies *list)
{
	const struct cgroup_owner *owner = &h->cgroup;
	bool own = !owner->of_user || owner->uid == f->viewer;
	const char *user = own ? "" : user_name(owner->uid);
	char command[COMMAND_SIZE], units[PART_SIZE];
	struct why_remedy *new;

	if (!name_units(f, owner->unit, units, sizeof(units))) {
		add(list, NULL,
		    "stop its service of systemd, whose name no command can be given as it is "
		    "(systemctl status %d shows it)",
		    h->process.id.pid);
		return;
	}
	if (!own && (f->viewer || !user || !text_is_shell_word(user))) {
		add(list, NULL, "ask user %s to stop the service %s", user ? user : "unknown",
		    owner->unit);
		return;
	}
	snprintf(command, sizeof(command), "%ssystemctl%s%s%s%s stop %s",
		 owner->of_user ? "" : why_sudo(f), owner->of_user ? " --user" : "",
		 own ? "" : " -M ", user, own ? "" : "@", units);
	new = add(list, command, "stop the service %s; killed, systemd may start it again",
		  owner->unit);
	note_end(new, h->process.id.pid, &h->hits);
	say_hits(new);
}

/* One that only the supervisor itself can be ended for; or its own command. */
static void stop_by_supervisor(const struct why_facts *f, const struct why_holder *h,
			       struct why_remedies *list)
{
	const struct why_supervisor *s = &h->supervisor;
	char command[COMMAND_SIZE] = "";
	struct why_remedy *new;

	if (!s->ends_it) {
		if (*s->command)
			run_as(f, s->uid, s->command, command);
		new = add(list, command, "stop it by %s, which starts it again when it is killed%s",
			  s->name, s->how);
		if (s->stops)
			note_end(new, s->stops, &h->hits);
		say_hits(new);
		return;
	}
	if (!user_may_see(f->viewer, s->uid)) {
		add(list, NULL, "ask user %s to stop %s (%d), which starts %s again",
		    user_name(s->uid) ? user_name(s->uid) : "unknown", s->name, s->id.pid,
		    name_of(h));
		return;
	}
	if (s->hands_on)
		snprintf(command, sizeof(command), "kill -INT %d", s->id.pid);
	else
		snprintf(command, sizeof(command), "kill %d %d", s->id.pid, h->process.id.pid);
	new = add(list, command, "stop %s (%d) and first %s (%d), which starts it again",
		  h->process.comm, h->process.id.pid, s->name, s->id.pid);
	note_end(new, s->id.pid, &h->hits);
	note_end(new, h->process.id.pid, &h->hits);
	say_hits(new);
}

/* To end it would end the shell in which the command is typed. */
static void step_down(const struct why_holder *h, struct why_remedies *list)
{
	bool itself = h->carries_asker;

	add(list, NULL,
	    "%s (pid %d) is what this shell runs under: to end it ends this session, too. Close "
	    "the port in it (a forward of ssh or of an editor), or end it from another terminal",
	    itself ? name_of(h) : h->supervisor.name,
	    itself ? h->process.id.pid : h->supervisor.id.pid);
}

/* True when somebody else than the process itself is to be asked. */
static bool stop_by_manager(const struct why_facts *f, const struct why_holder *h,
			    struct why_remedies *list)
{
	if (*h->cgroup.container)
		stop_container(f, h, list);
	else if (h->forwards) /* its unit is the engine's own: all containers would end with it */
		stop_forwarded(f, h, list);
	else if (h->carries_asker || (h->supervisor_carries_asker && h->supervisor.ends_it))
		step_down(h, list);
	else if (*h->cgroup.unit)
		stop_unit(f, h, list);
	else if (h->supervised && may_end(f, h))
		stop_by_supervisor(f, h, list);
	else
		return false;
	return true;
}

/* --- everybody ------------------------------------------------------------------------------- */

static void ask_its_user(const struct why_holder *h, struct why_remedies *list)
{
	add(list, NULL, "%s (pid %d) is %s's: ask them to stop it", name_of(h), h->process.id.pid,
	    user_of(h));
}

/* Those that are killed together, and what they need before the signal reaches them. */
struct killing {
	const struct why_holder *list[WHY_ENDED_MAX];
	size_t n;
	bool stopped, ignores_term, catches_term;
	const struct why_holder *frozen; /* NULL = none is */
};

static void add_process(struct killing *k, const struct why_holder *h)
{
	k->stopped |= h->state == 'T';
	k->ignores_term |= h->ignores_term;
	k->catches_term |= h->catches_term;
	if (h->freezer)
		k->frozen = h;
	k->list[k->n++] = h;
}

/* The command that thaws its cgroup; "" where there is none.  Returns ret. */
static char *thaw_command(const struct why_facts *f, const struct why_holder *h, char *ret)
{
	char file[PART_SIZE];

	ret[0] = '\0';
	if (h->freezer && text_shell_quote(h->freezer, file, sizeof(file)))
		snprintf(ret, COMMAND_SIZE,
			 *file == '\'' ? "echo %s | %stee %s" : "echo %s | %stee '%s'", h->thaw,
			 why_sudo(f), file);
	return ret;
}

static void append_pids(const struct killing *k, bool stopped_only, char *command)
{
	for (size_t i = 0; i < k->n; i++)
		if (!stopped_only || k->list[i]->state == 'T')
			append(command, COMMAND_SIZE, " %d", k->list[i]->process.id.pid);
}

/* "node (4711), node (4712)" */
static void name_all(const struct killing *k, char *ret, size_t size)
{
	*ret = '\0';
	for (size_t i = 0; i < k->n; i++)
		append(ret, size, "%s%s (%d)", i ? ", " : "", name_of(k->list[i]),
		       k->list[i]->process.id.pid);
}

static void add_killing(const struct why_facts *f, const struct killing *k,
			struct why_remedies *list)
{
	char command[COMMAND_SIZE], thaw[COMMAND_SIZE], names[PART_SIZE];
	struct why_remedy *new;

	name_all(k, names, sizeof(names));
	snprintf(command, sizeof(command), k->ignores_term ? "kill -KILL" : "kill");
	append_pids(k, false, command);
	if (k->stopped) {
		append(command, sizeof(command), " && kill -CONT");
		append_pids(k, true, command);
	}
	if (k->frozen && *thaw_command(f, k->frozen, thaw))
		append(command, sizeof(command), " && %s", thaw);
	new = add(list, command, "%sstop %s%s%s", k->stopped || k->frozen ? "or " : "", names,
		  k->stopped || k->frozen ? " for good" : "",
		  k->ignores_term ? ", which ignores SIGTERM: what it has not saved is lost" : "");
	for (size_t i = 0; i < k->n; i++)
		note_end(new, k->list[i]->process.id.pid, &k->list[i]->hits);
	say_hits(new);
	if (new && k->catches_term && !k->ignores_term)
		append(new->text, sizeof(new->text),
		       "; it may take its time to end, or never do: then kill -KILL, which loses "
		       "what it has not saved");
}

void remedy_stop(const struct why_facts *f, struct why_remedies *list)
{
	struct killing k = { .n = 0 };

	for (size_t i = 0; i < f->n_holders && k.n < WHY_ENDED_MAX; i++) {
		const struct why_holder *h = &f->holders[i];

		if (h->ended || h->process.id.pid == 1 || stop_by_manager(f, h, list))
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
	char part[PART_SIZE], command[COMMAND_SIZE] = "";

	if (!h || h->ended)
		return;
	if (h->cgroup.engine && strcmp(h->cgroup.engine, "crictl") != 0) {
		snprintf(part, sizeof(part), "%s unpause %s", h->cgroup.engine,
			 h->cgroup.container);
		run_by_engine(f, h, part, command);
	} else if (text_is_shell_word(h->cgroup.unit) && !h->cgroup.of_user)
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
	struct why_remedy *new;

	if (f->tracer)
		add(list, NULL, "let it go in its debugger (pid %d), or quit that", f->tracer);
	else
		add(list, NULL, "let it go in its debugger, or quit that");
	if (!h || !may_end(f, h))
		return;
	snprintf(command, sizeof(command), "kill -KILL %d", h->process.id.pid);
	new = add(list, command, "end %s, whatever its debugger is at", name_of(h));
	note_end(new, h->process.id.pid, &h->hits);
	say_hits(new);
}
