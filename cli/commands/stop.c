/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/outcome.h"
#include "cli/client/answer.h"
#include "cli/client/peer.h"
#include "cli/command.h"
#include "cli/render/render.h"

#define STOP_WAIT_MS 5000 /* the daemon commits, closes its database and goes: milliseconds */

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

/* True once the process has ended; false after STOP_WAIT_MS. */
static bool wait_for_end(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, STOP_WAIT_MS) > 0;
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

static int stop(const struct command_line *line, struct peer *daemon)
{
	const char *why;
	_cleanup_close_ int pidfd = peer_open(daemon, &why);
	char message[512];

	if (pidfd < 0) {
		snprintf(message, sizeof(message), "nothing was stopped at %s (pid %d): %s",
			 daemon->socket, daemon->pid, why);
		return fail(line->json, OUTCOME_FAILED, message);
	}
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0) {
		if (errno == EPERM)
			return refuse(line->json, daemon);
		if (errno != ESRCH) {
			snprintf(message, sizeof(message),
				 "the daemon (pid %d) could not be signalled: %s", daemon->pid,
				 strerror(errno));
			return fail(line->json, OUTCOME_FAILED, message);
		}
	}
	if (!wait_for_end(pidfd)) {
		snprintf(message, sizeof(message), "the daemon (pid %d) still runs after %d s",
			 daemon->pid, STOP_WAIT_MS / 1000);
		return fail(line->json, OUTCOME_FAILED, message);
	}
	return show(line, daemon);
}

static int run(const struct command *self, const struct command_line *line)
{
	_cleanup_(peer_deinit) struct peer daemon;

	if (!peer_find(&daemon))
		return show(line, NULL);
	if (daemon.pid == 0)
		return fail(line->json, OUTCOME_NOT_ALLOWED,
			    "the daemon runs outside of this container; stop it there");
	/* systemd listens in the name of a service that it starts on demand. */
	if (daemon.pid == 1)
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
