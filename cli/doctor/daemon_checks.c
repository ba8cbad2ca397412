/* SPDX-License-Identifier: MIT */
/* The checks of the way to the daemon, and of the daemon itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own_pd.h"
#include "base/paths.h"
#include "cli/client/answer.h"
#include "cli/client/connection.h"
#include "cli/client/other_build.h"
#include "cli/client/peer.h"
#include "cli/client/polling.h"
#include "cli/doctor/doctor.h"

#define PROBE_ID_SIZE 64
#define STATE_SIZE    4096

/* doctor_own(), by root. */
static const char *by_root(const char *verb, char ret[DOCTOR_COMMAND_SIZE])
{
	char pd[OWN_PD_SIZE];

	snprintf(ret, DOCTOR_COMMAND_SIZE, "%s %s", geteuid() ? own_pd_sudo(pd) : own_pd(pd), verb);
	return ret;
}

/* By whom may end the daemon: one with eBPF is replaced by root only. */
static const char *restart(const struct doctor *d, char ret[DOCTOR_COMMAND_SIZE])
{
	return polling_is(d->status) ? doctor_own("daemon restart", ret)
				     : by_root("daemon restart", ret);
}

void doctor_check_unix_sockets(struct doctor *d)
{
	if (d->connect_error == -EPERM)
		doctor_say(d, DOCTOR_FAIL, NULL, CONNECTION_FORBIDDEN);
	else
		doctor_say(d, DOCTOR_OK, NULL,
			   "sockets can be made, and connecting is not "
			   "forbidden");
}

static int own_state_dir(char ret[static STATE_SIZE])
{
	uid_t user = getuid();

	paths_sudo_user(&user);
	return paths_state_dir(false, user, ret, STATE_SIZE);
}

void doctor_check_socket_path(struct doctor *d)
{
	char paths[PATHS_SOCKETS_MAX][108];
	const char *name = getenv("PORT_DADDY_SOCKET");
	char state[STATE_SIZE];
	int n = paths_client_sockets(paths, PATHS_SOCKETS_MAX);

	name = name && *name ? "PORT_DADDY_SOCKET" : "PORT_DADDY_HOME";
	if (!n)
		doctor_say(d, DOCTOR_FAIL, "export PORT_DADDY_SOCKET=\"$XDG_RUNTIME_DIR/pd.sock\"",
			   "%s is no absolute path, or leads to a socket of more than 107 bytes, "
			   "which the kernel does not take",
			   name);
	else if (n > 1 || getenv("PORT_DADDY_SOCKET") || getenv("PORT_DADDY_HOME"))
		doctor_say(d, DOCTOR_OK, NULL, "%s", *d->socket ? d->socket : paths[n - 1]);
	else if (own_state_dir(state) < 0)
		doctor_say(d, DOCTOR_SKIP, NULL,
			   "there is no home for a socket: only the system service can be reached");
	else
		doctor_say(d, DOCTOR_WARN, "export PORT_DADDY_SOCKET=\"$XDG_RUNTIME_DIR/pd.sock\"",
			   "the home's path is so long that a socket's in it has more than 107 "
			   "bytes: only the system service can be reached");
}

void doctor_check_home(struct doctor *d)
{
	static const char way_out[] = "export PORT_DADDY_HOME=/a/directory/of/yours";
	char state[STATE_SIZE], parent[STATE_SIZE];
	int r;

	if (!strcmp(d->socket, PATHS_SYSTEM_SOCKET)) {
		doctor_say(d, DOCTOR_OK, NULL, "the system service keeps what pd knows");
		return;
	}
	r = own_state_dir(state);
	if (r < 0) {
		doctor_say(d, DOCTOR_FAIL, way_out, "there is no directory for pd's files: %s",
			   paths_state_dir_strerror(r));
		return;
	}
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(state, '/') - state), state);
	if (!*parent)
		strcpy(parent, "/");
	r = access(state, W_OK) ? errno : 0;
	if (r == ENOENT)
		r = access(parent, W_OK) ? errno : 0;
	if (r)
		doctor_say(d, DOCTOR_FAIL, way_out, "%s cannot be written: %s", state, strerror(r));
	else
		doctor_say(d, DOCTOR_OK, NULL, "%s", state);
}

void doctor_check_daemon(struct doctor *d)
{
	struct json_object *daemon = answer_member(d->status, "daemon");
	char command[DOCTOR_COMMAND_SIZE];

	if (d->status)
		doctor_say(d, DOCTOR_OK, NULL, "runs as %s (pid %d)", answer_text(daemon, "user"),
			   (int)answer_int(daemon, "pid"));
	else if (*d->socket || d->connect_error == -EAGAIN)
		doctor_say(d, DOCTOR_FAIL, by_root("daemon restart", command),
			   "one listens%s%s and does not answer", *d->socket ? " on " : "",
			   d->socket);
	else
		doctor_say(d, DOCTOR_WARN, by_root("daemon start", command),
			   "none answers: what happens is not seen");
}

void doctor_check_build(struct doctor *d)
{
	char command[DOCTOR_COMMAND_SIZE], theirs[BUILD_TEXT_SIZE], ours[BUILD_TEXT_SIZE];
	struct build build;

	other_build_read(d->status, &build);
	if (build_is_own(&build))
		doctor_say(d, DOCTOR_OK, NULL, "%s, as this pd", build_text(&build, theirs));
	else
		doctor_say(d, DOCTOR_WARN, restart(d, command),
			   "the daemon is %s than this pd: %s, and this is %s",
			   !strcmp(build_age(&build), "another") ? "of another build"
								 : build_age(&build),
			   *build.version ? build_text(&build, theirs)
					  : "of before builds were told",
			   build_text(&build_own, ours));
}

void doctor_check_other_daemon(struct doctor *d)
{
	_cleanup_(peer_deinit) struct peer own_daemon = { .fd = -1 };
	char command[DOCTOR_COMMAND_SIZE];

	if (peer_find_beside_service(&own_daemon))
		doctor_say(d, DOCTOR_WARN, doctor_own("daemon stop", command),
			   "a daemon of your own (pid %d) runs beside the system service: what was "
			   "claimed there is out of sight",
			   own_daemon.pid);
	else
		doctor_say(d, DOCTOR_OK, NULL, "none of your own beside a system service");
}

/* What the kernel lacks nobody mends; it is said beside what is in force. */
void doctor_check_sandbox(struct doctor *d)
{
	struct json_object *sandbox = answer_member(answer_member(d->status, "daemon"), "sandbox");
	struct json_object *missing = answer_member(sandbox, "missing");
	bool system_calls = answer_bool(sandbox, "systemCalls");
	int landlock = (int)answer_int(sandbox, "landlock");
	const char *why = answer_length(missing) ? answer_item_text(missing, 0) : "";

	if (!sandbox)
		doctor_say(d, DOCTOR_SKIP, NULL, "this daemon does not tell");
	else if (!system_calls)
		doctor_say(d, DOCTOR_WARN, NULL, "it has every system call: %s", why);
	else if (!landlock)
		doctor_say(d, DOCTOR_OK, NULL,
			   "it is held to its system calls; not to its files: %s", why);
	else
		doctor_say(d, DOCTOR_OK, NULL,
			   "it is held to its system calls and, by Landlock %d, to its files",
			   landlock);
}

void doctor_check_ebpf(struct doctor *d)
{
	char words[POLLING_WORDS_SIZE], command[DOCTOR_COMMAND_SIZE];

	if (polling_is(d->status))
		doctor_say(d, DOCTOR_WARN, by_root("daemon start", command),
			   "it only polls, once a second: %s", polling_words(d->status, words));
	else
		doctor_say(d, DOCTOR_OK, NULL, "the kernel tells what happens");
}

/* Of what this kernel lacks, or refuses to everybody, another daemon has no more. */
static bool is_mended_by_restart(const char *state, const char *reason)
{
	static const char *const passing[] = { "permi", "mounted", "--trace" };

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (strstr(reason, passing[i]))
			return true;
	return !strcmp(state, "silent");
}

/* One that does not work. */
static void check_probe(struct doctor *d, struct json_object *probe)
{
	const char *reason = answer_text(probe, "reason"), *state = answer_text(probe, "state");
	bool is_mended = is_mended_by_restart(state, reason);
	char id[PROBE_ID_SIZE], command[DOCTOR_COMMAND_SIZE];

	snprintf(id, sizeof(id), "probe-%.48s", answer_text(probe, "name"));
	doctor_say_of(d, id, DOCTOR_WARN, is_mended ? by_root("daemon restart", command) : NULL,
		      "%s is %s%s%s: %s", answer_text(probe, "attached"), state,
		      *reason ? ", " : "", reason, answer_text(probe, "blind"));
}

void doctor_check_probes(struct doctor *d)
{
	struct json_object *kernel = answer_member(d->status, "kernel");
	struct json_object *probes = answer_member(kernel, "probes");
	long long working = (long long)answer_int(kernel, "working");
	long long total = (long long)answer_int(kernel, "total");

	if (polling_is(d->status)) {
		doctor_say(d, DOCTOR_SKIP, NULL, "it polls");
		return;
	}
	doctor_say(d, working == total ? DOCTOR_OK : DOCTOR_WARN, NULL, "%lld of %lld work",
		   working, total);
	for (size_t i = 0; i < answer_length(probes); i++)
		if (strcmp(answer_text(answer_at(probes, i), "state"), "works") != 0)
			check_probe(d, answer_at(probes, i));
}

void doctor_check_trace(struct doctor *d)
{
	struct json_object *kernel = answer_member(d->status, "kernel");
	const char *trace = answer_text(kernel, "trace"), *unseen = answer_text(kernel, "unseen");
	const char *why_not_fexit = answer_text(kernel, "whyNotFexit");
	char command[DOCTOR_COMMAND_SIZE];

	if (polling_is(d->status) || !*trace)
		doctor_say(d, DOCTOR_SKIP, NULL, "it %s",
			   *trace ? "polls" : "is older, and does not say");
	else if (!strcmp(trace, "syscalls"))
		doctor_say(d, DOCTOR_OK, NULL,
			   "calls are traced by tracepoints, and each system call of the machine "
			   "takes some tens of nanoseconds longer%s%s; not seen: %s",
			   *why_not_fexit ? ", as fexit, which costs them nothing, does not work: "
					  : "",
			   why_not_fexit, unseen);
	else if (!strcmp(trace, "hooks"))
		doctor_say(d, DOCTOR_WARN, by_root("daemon restart", command),
			   "started with --trace hooks, by which calls are not traced; not seen: "
			   "%s",
			   unseen);
	else
		doctor_say(d, DOCTOR_OK, NULL, "calls are traced by %s; not seen: %s", trace,
			   unseen);
}

void doctor_check_losses(struct doctor *d)
{
	struct json_object *kernel = answer_member(d->status, "kernel");
	long long lost = (long long)answer_int(kernel, "lost");
	char command[DOCTOR_COMMAND_SIZE];

	if (answer_bool(kernel, "behind"))
		doctor_say(d, DOCTOR_WARN, NULL,
			   "%lld events were lost, and the table of sockets is being read anew",
			   lost);
	else if (lost)
		doctor_say(d, DOCTOR_WARN, doctor_own("log --filter GAP", command),
			   "%lld events were lost since the start; what was missed then is known "
			   "as a gap, and the table of sockets was read anew",
			   lost);
	else
		doctor_say(d, DOCTOR_OK, NULL, "no event was lost");
}
