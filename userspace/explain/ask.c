/* SPDX-License-Identifier: MIT */
/*
 * Who would start a process again, or has it listen on behalf of somebody else, is the one to ask:
 * the container's engine, systemd, a supervisor, the pd of a run.
 */
#include "explain/stop_parts.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

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

bool stop_run_by_engine(const struct why_facts *f, const struct why_holder *h, const char *command,
			char ret[static COMMAND_SIZE])
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
		stop_run_by_engine(f, h, part, command);
		stop_add(list, command,
			 "Kubernetes starts it again: find its pod here, then delete "
			 "that or scale it down with kubectl");
		return;
	}
	/* a paused container cannot be stopped */
	snprintf(part, sizeof(part), "%s stop %s", engine, id);
	if (!stop_run_by_engine(f, h, part, command)) {
		stop_add(list, NULL, "stop the container %s in its user's %s", id, engine);
		return;
	}
	if (h->freezer) {
		snprintf(part, sizeof(part), "%.*sunpause %s && %s",
			 (int)(strstr(command, "stop ") - command), command, id, command);
		strcpy(command, part);
	}
	new = stop_add(list, command, "stop the container %s; killed, it may be started again", id);
	stop_note_end(new, h->process.id.pid, &h->hits);
	stop_say_hits(new);
}

/* Containers on other addresses of the machine may publish the same port. */
static bool is_only_container(const struct why_facts *f, const struct why_holder *h)
{
	const struct engine_forward *a = &h->forward, *b;

	for (size_t i = 0; i < f->n_holders; i++) {
		b = &f->holders[i].forward;
		if (f->holders[i].forwards && a->family == b->family &&
		    (memcmp(&a->addr, &b->addr, sizeof(a->addr)) != 0 || a->port != b->port))
			return false;
	}
	return true;
}

/* "127[.]0[.]0[.]2:", as its ps shows the address before the port, where that address alone was
 * asked for: a container that publishes the port on another one goes on.  ":" where any will do. */
static void write_address(const struct why_facts *f, const struct engine_forward *forward,
			  char *ret, size_t size)
{
	const uint8_t *b = forward->host_addr.bytes;

	snprintf(ret, size, ":");
	if (f->question.addr_named && forward->host_family == AF_INET &&
	    !net_addr_is_wildcard(f->question.family, &f->question.addr) &&
	    !net_addr_is_wildcard(AF_INET, &forward->host_addr))
		snprintf(ret, size, "%u[.]%u[.]%u[.]%u:", b[0], b[1], b[2], b[3]);
}

/* The container is found by the port that it publishes. */
static void write_forwarded(const struct why_facts *f, const struct why_holder *h, char *ret)
{
	const char *proto = f->question.protocol == IPPROTO_UDP ? "udp" : "tcp";
	const struct engine_forward *forward = &h->forward;
	char engine[64], list[PART_SIZE / 2], address[32];

	write_address(f, forward, address, sizeof(address));
	snprintf(engine, sizeof(engine), "%s", forward->engine);
	if (forward->lists_by_port && forward->uid && forward->uid != f->viewer)
		stop_append(engine, sizeof(engine), " -H unix:///run/user/%u/docker.sock",
			    forward->uid);
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
	else if (forward->lists_by_port && *address == ':')
		snprintf(ret, PART_SIZE, "%s stop $(%s ps -q %s)", engine, engine, list);
	else
		snprintf(ret, PART_SIZE,
			 "%s stop $(%s ps --format '{{.ID}} {{.Ports}}' | "
			 "awk '/%s%u->[0-9]+\\/%s/ {print $1}')",
			 engine, engine, address, f->question.port, proto);
}

/* A process that has the port for a container, which has to be stopped. */
static void stop_forwarded(const struct why_facts *f, const struct why_holder *h,
			   struct why_remedies *list)
{
	char part[PART_SIZE], command[COMMAND_SIZE] = "";

	if (h->forward.own) {
		stop_add(list, NULL, "it is %s's own %s: %s", h->forward.engine,
			 h->forward.own->what, h->forward.own->close);
		return;
	}
	write_forwarded(f, h, part);
	if (!stop_run_by_engine(f, h, part, command))
		stop_add(list, NULL, "ask user %s to stop the container that publishes port %u",
			 stop_user_of(h), f->question.port);
	else if (is_only_container(f, h))
		stop_add(list, command,
			 "stop the container that publishes port %u (to kill %s would only cut it "
			 "off)",
			 f->question.port, h->process.comm);
	else
		stop_add(
			list, command,
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
	if (stop_is_pid1_among_holders(f) && dot) {
		snprintf(socket, sizeof(socket), "%.*s.socket", (int)(dot - unit), unit);
		if (!text_shell_quote(socket, ret, size))
			return false;
		stop_append(ret, size, " ");
	}
	stop_append(ret, size, "%s", quoted);
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
		stop_add(list, NULL,
			 "stop its service of systemd, whose name no command can be given as it is "
			 "(systemctl status %d shows it)",
			 h->process.id.pid);
		return;
	}
	if (!own && (f->viewer || !user || !text_is_shell_word(user))) {
		stop_add(list, NULL, "ask user %s to stop the service %s", user ? user : "unknown",
			 owner->unit);
		return;
	}
	snprintf(command, sizeof(command), "%ssystemctl%s%s%s%s stop %s",
		 owner->of_user ? "" : why_sudo(f), owner->of_user ? " --user" : "",
		 own ? "" : " -M ", user, own ? "" : "@", units);
	new = stop_add(list, command, "stop the service %s; killed, systemd may start it again",
		       owner->unit);
	stop_note_end(new, h->process.id.pid, &h->hits);
	stop_say_hits(new);
}

/* One that only the supervisor itself can be ended for; or its own command. */
static void stop_by_supervisor(const struct why_facts *f, const struct why_holder *h,
			       struct why_remedies *list)
{
	const struct supervisor *s = &h->supervisor;
	char command[COMMAND_SIZE] = "";
	struct why_remedy *new;

	if (!s->ends_it) {
		if (*s->command)
			run_as(f, s->uid, s->command, command);
		new = stop_add(list, command,
			       "stop it by %s, which starts it again when it is killed%s", s->name,
			       s->how);
		if (s->stops)
			stop_note_end(new, s->stops, &h->hits);
		stop_say_hits(new);
		return;
	}
	if (!user_may_see(f->viewer, s->uid)) {
		stop_add(list, NULL, "ask user %s to stop %s (%d), which starts %s again",
			 user_name(s->uid) ? user_name(s->uid) : "unknown", s->name, s->id.pid,
			 stop_name_of(h));
		return;
	}
	if (s->hands_on)
		snprintf(command, sizeof(command), "kill -INT %d", s->id.pid);
	else
		snprintf(command, sizeof(command), "kill %d %d", s->id.pid, h->process.id.pid);
	new = stop_add(list, command, "stop %s (%d) and first %s (%d), which starts it again",
		       h->process.comm, h->process.id.pid, s->name, s->id.pid);
	stop_note_end(new, s->id.pid, &h->hits);
	stop_note_end(new, h->process.id.pid, &h->hits);
	stop_say_hits(new);
}

static void stop_run(const struct why_holder *h, struct why_remedies *list)
{
	char command[sizeof("pd stop ") + IDENTITY_MAX];
	struct why_remedy *new;

	snprintf(command, sizeof(command), "pd stop %s", h->run_of);
	new = stop_add(list, command, "stop %s (%d), and what else runs as %s", stop_name_of(h),
		       h->process.id.pid, h->run_of);
	stop_note_end(new, h->process.id.pid, &h->hits);
	stop_say_hits(new);
}

/* To end it would end the shell in which the command is typed. */
static void step_down(const struct why_holder *h, struct why_remedies *list)
{
	bool itself = h->carries_asker;

	stop_add(list, NULL,
		 "%s (pid %d) is what this shell runs under: to end it ends this session, too. "
		 "Close "
		 "the port in it (a forward of ssh or of an editor), or end it from another "
		 "terminal",
		 itself ? stop_name_of(h) : h->supervisor.name,
		 itself ? h->process.id.pid : h->supervisor.id.pid);
}

/* --- tunnels --------------------------------------------------------------------------------- */

/* Ended, it takes every session of the connection along; the forward alone can be closed. */
static void close_shared_tunnel(const struct why_facts *f, const struct why_holder *h,
				struct why_remedies *list)
{
	const struct tunnel *tunnel = &h->tunnel;
	char control[TUNNEL_PATH_SIZE + 8], spec[TUNNEL_FORWARD_SIZE + 8], part[PART_SIZE];
	char command[COMMAND_SIZE] = "";
	const char *option = tunnel->forward;

	if (*option && text_shell_quote(tunnel->control, control, sizeof(control)) &&
	    text_shell_quote(option + strlen("-L "), spec, sizeof(spec))) {
		snprintf(part, sizeof(part), "ssh -S %s -O cancel %.2s %s localhost", control,
			 option, spec);
		if (run_as(f, h->process.uid, part, command))
			stop_add(list, command,
				 "close this forward of ssh alone: its connection and the sessions "
				 "that share it go on");
		return;
	}
	stop_add(list, NULL,
		 "close the forward in the connection of ssh (pid %d): ssh -S %s -O cancel -L "
		 "PORT:HOST:PORT HOST, as it was opened; -O exit ends every session that shares it",
		 h->process.id.pid, tunnel->control);
}

/* True where to end the process would end more than the tunnel. */
static bool close_tunnel(const struct why_facts *f, const struct why_holder *h,
			 struct why_remedies *list)
{
	if (h->tunnel.kind == TUNNEL_SSH_SHARED)
		close_shared_tunnel(f, h, list);
	else if (h->tunnel.kind == TUNNEL_EDITOR)
		stop_add(list, NULL,
			 "close the port in the editor (VS Code: the view Ports): to kill %s (pid "
			 "%d) would end its whole window",
			 stop_name_of(h), h->process.id.pid);
	else
		return false;
	return true;
}

/* True when somebody else than the process itself is to be asked. */
bool stop_by_manager(const struct why_facts *f, const struct why_holder *h,
		     struct why_remedies *list)
{
	if (*h->cgroup.container)
		stop_container(f, h, list);
	else if (h->forwards) /* its unit is the engine's own: all containers would end with it */
		stop_forwarded(f, h, list);
	else if (stop_may_end(f, h) && close_tunnel(f, h, list))
		return true;
	else if (h->carries_asker || (h->supervisor_carries_asker && h->supervisor.ends_it))
		step_down(h, list);
	else if (*h->run_of && !h->freezer) /* what is frozen does not hear of it */
		stop_run(h, list);
	else if (h->supervised && stop_may_end(f, h))
		stop_by_supervisor(f, h, list);
	else if (*h->cgroup.unit)
		stop_unit(f, h, list);
	else
		return false;
	return true;
}
