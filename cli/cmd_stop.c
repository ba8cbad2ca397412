/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/outcome.h"
#include "cli/answer.h"
#include "cli/command.h"
#include "cli/peer.h"
#include "cli/render.h"

#define STOP_WAIT_MS 5000 /* the daemon commits, closes its database and goes: milliseconds */
#define STOP_POLL_MS 10	  /* where the kernel has no pidfd to wait on */

static int fail(bool json, enum outcome outcome, const char *message)
{
	_cleanup_(answer_freep) struct json_object *o = render_error_object(outcome, message);

	render_error(json, o);
	return outcome_row(outcome)->exit_code;
}

static int show(const struct command_line *line, const struct peer *daemon)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;

	if (line->json) {
		o = json_object_new_object();
		json_object_object_add(o, "ok", json_object_new_boolean(true));
		json_object_object_add(o, "version", json_object_new_int(1));
		json_object_object_add(o, "stopped", json_object_new_boolean(daemon != NULL));
		json_object_object_add(o, "pid", daemon ? json_object_new_int(daemon->pid) : NULL);
		render_json(o);
	} else if (daemon) {
		render_text(TONE_PLAIN, "Daemon stopped (pid %d)", daemon->pid);
		render_newline();
	} else {
		render_note("no daemon is running");
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int send_term(int pidfd, pid_t pid)
{
	/* With a pidfd the signal cannot meet a process that has the pid since then. */
	long r = pidfd >= 0 ? syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0)
			    : kill(pid, SIGTERM);

	return r < 0 ? -errno : 0;
}

/* True once the process has ended; false after STOP_WAIT_MS. */
static bool wait_for_end(int pidfd, pid_t pid)
{
	int64_t deadline = now_ms() + STOP_WAIT_MS;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	for (;;) {
		int64_t left = deadline - now_ms();

		if (left <= 0)
			return false;
		/* poll() skips a descriptor of -1 and just sleeps. */
		if (poll(&p, 1, pidfd >= 0 ? (int)left : STOP_POLL_MS) > 0)
			return true;
		if (pidfd < 0 && kill(pid, 0) < 0 && errno == ESRCH)
			return true;
	}
}

static int refuse(bool json, const struct peer *daemon)
{
	const struct passwd *user = getpwuid(daemon->uid);
	char message[256];

	if (user)
		snprintf(message, sizeof(message),
			 "the daemon (pid %d) belongs to user %.64s: sudo pd stop", daemon->pid,
			 user->pw_name);
	else
		snprintf(message, sizeof(message),
			 "the daemon (pid %d) belongs to user %u: sudo pd stop", daemon->pid,
			 daemon->uid);
	return fail(json, OUTCOME_NOT_ALLOWED, message);
}

static int stop(const struct command_line *line, const struct peer *daemon)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, daemon->pid, 0);
	char message[256];
	int e = send_term(pidfd, daemon->pid);

	if (e == -EPERM)
		return refuse(line->json, daemon);
	if (e < 0 && e != -ESRCH) {
		snprintf(message, sizeof(message), "the daemon (pid %d) could not be signalled: %s",
			 daemon->pid, strerror(-e));
		return fail(line->json, OUTCOME_FAILED, message);
	}
	if (e == 0 && !wait_for_end(pidfd, daemon->pid)) {
		snprintf(message, sizeof(message), "the daemon (pid %d) still runs after %d s",
			 daemon->pid, STOP_WAIT_MS / 1000);
		return fail(line->json, OUTCOME_FAILED, message);
	}
	return show(line, daemon);
}

static int run(const struct command *self, const struct command_line *line)
{
	struct peer daemon;

	if (!peer_find(&daemon))
		return show(line, NULL);
	/* systemd listens in the name of a service that it starts on demand. */
	if (daemon.pid <= 1)
		return fail(line->json, OUTCOME_NOT_ALLOWED,
			    "the daemon's socket is held by the service manager; try: "
			    "systemctl stop port-daddy.socket port-daddy.service");
	return stop(line, &daemon);
}

const struct command cmd_stop = {
	.name = "stop",
	.arguments = "",
	.summary = "stop the daemon",
	.details = "Claims stay: they are on disk.  What happens on the ports meanwhile is found "
		   "out,\n"
		   "and written into the log, when the daemon starts again.  That no daemon runs "
		   "is no\n"
		   "error.\n",
	.examples = "  pd stop\n",
	.run = run,
};
