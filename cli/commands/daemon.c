/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/clock.h"
#include "base/own_pd.h"
#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/client/autostart.h"
#include "cli/client/connection.h"
#include "cli/client/other_build.h"
#include "cli/client/peer.h"
#include "cli/client/polling.h"
#include "cli/client/stop_daemon.h"
#include "cli/command.h"
#include "cli/render/render.h"

#define ENDING_MS      2000 /* until the kernel has taken a killed daemon's eBPF programs apart */
#define ENDING_POLL_MS 20

/* --- stop --- */

static void show_stopped(const struct command_line *line, const struct peer *daemon)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;

	if (line->json) {
		o = render_json_new(true);
		json_object_object_add(o, "stopped", json_object_new_boolean(daemon != NULL));
		json_object_object_add(o, "pid", daemon ? json_object_new_int(daemon->pid) : NULL);
		render_json(o);
	} else if (daemon) {
		render_line(TONE_PLAIN, "Daemon stopped (pid %d)", daemon->pid);
	} else {
		render_note("no daemon is running");
	}
}

static int stop(const struct command_line *line)
{
	_cleanup_(peer_deinit) struct peer daemon;
	char error[STOP_DAEMON_ERROR_SIZE];
	/* a service that runs beside it is not one's own */
	bool runs = peer_find_beside_service(&daemon) || peer_find(&daemon);
	enum outcome outcome = runs ? stop_daemon(&daemon, "stop", false, error) : OUTCOME_OK;

	if (outcome != OUTCOME_OK)
		return render_fail(line->json, outcome, "%s", error);
	show_stopped(line, runs ? &daemon : NULL);
	return 0;
}

/* --- start and restart --- */

/* What is known of a daemon that runs. */
struct running {
	struct peer peer;
	struct json_object *status;
	struct build build;
	bool polls;
	bool wants_root; /* it polls because it is not root who started it */
};

static void running_deinit(struct running *d)
{
	peer_deinit(&d->peer);
	answer_free(d->status);
}

/* False when none runs. */
static bool running_find(struct running *ret)
{
	/* the peer's own connection is kept for peer_open() */
	_cleanup_(connection_close) struct connection c = { .fd = -1 };

	*ret = (struct running){ .peer.fd = -1 };
	if (!peer_find(&ret->peer))
		return false;
	if (connection_open(&c, ret->peer.socket) < 0 ||
	    client_request_on(TAKE_FD(c.fd), "/v1/status", &ret->status) != OUTCOME_OK) {
		answer_free(TAKE_PTR(ret->status));
		return true;
	}
	other_build_read(ret->status, &ret->build);
	ret->polls = polling_is(ret->status);
	ret->wants_root = ret->polls &&
			  answer_bool(answer_member(ret->status, "kernel"), "wantsRoot");
	return true;
}

/*
 * As running_find(), but one that was just killed counts as gone: its socket takes connections,
 * which nobody answers, until the kernel has taken it apart.
 */
static bool running_find_alive(struct running *ret)
{
	int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + ENDING_MS;
	bool found = running_find(ret);

	/* one that hangs has taken longer than that to be asked once */
	while (found && !ret->status && clock_ms(CLOCK_MONOTONIC) < until_ms) {
		running_deinit(ret);
		poll(NULL, 0, ENDING_POLL_MS);
		found = running_find(ret);
	}
	return found;
}

static void show_running(const struct command_line *line, const struct running *d, const char *done)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;
	/* three bytes stand for one that is no text */
	char socket[3 * sizeof(d->peer.socket)], words[POLLING_WORDS_SIZE];
	bool started = strcmp(done, "runs already") != 0;

	if (line->json) {
		o = render_json_new(true);
		json_object_object_add(o, "pid", json_object_new_int(d->peer.pid));
		json_object_object_add(o, "socket",
				       json_object_new_string(text_to_utf8(d->peer.socket, socket,
									   sizeof(socket))));
		json_object_object_add(o, "started", json_object_new_boolean(started));
		json_object_object_add(o, "polls", json_object_new_boolean(d->polls));
		render_json(o);
		return;
	}
	if (line->quiet)
		printf("%d\n", d->peer.pid);
	else
		render_line(TONE_PLAIN, "Daemon %s (pid %d, %s)", done, d->peer.pid,
			    d->peer.socket);
	if (d->polls)
		render_note("it only polls: %s", polling_words(d->status, words));
}

static int start_new(const struct command_line *line, const struct autostart_request *request,
		     const char *done)
{
	_cleanup_(running_deinit) struct running d = { .peer.fd = -1 };
	struct autostarted started;
	char error[1024];
	enum outcome outcome = autostart(request, &started, error, sizeof(error));

	if (outcome != OUTCOME_OK)
		return render_fail(line->json, outcome, "%s", error);
	if (!running_find(&d))
		return render_fail(line->json, OUTCOME_NO_DAEMON, "the daemon ended again");
	show_running(line, &d, done);
	return 0;
}

static const struct autostart_request nothing;

/* What would be lost: root alone can start one that listens. */
static bool is_beyond_us(const struct running *d)
{
	return !d->polls && geteuid() != 0;
}

static int replace(const struct command_line *line, struct running *d, const char *done)
{
	char error[STOP_DAEMON_ERROR_SIZE];
	enum outcome outcome = stop_daemon(&d->peer, "restart", !d->status, error);

	return outcome == OUTCOME_OK
		       ? start_new(line, &(struct autostart_request){ &d->peer, false }, done)
		       : render_fail(line->json, outcome, "%s", error);
}

static int start(const struct command_line *line)
{
	_cleanup_(running_deinit) struct running d;
	char words[OTHER_BUILD_WORDS_SIZE];
	bool other;

	if (!running_find_alive(&d))
		return start_new(line, &nothing, "started");
	other = d.status && !build_is_own(&d.build);
	if ((other && !is_beyond_us(&d)) || (d.wants_root && geteuid() == 0))
		return replace(line, &d, "replaced");
	show_running(line, &d, "runs already");
	if (other)
		render_note("%s", other_build_words(&d.build, is_beyond_us(&d), words));
	return 0;
}

static int refuse(const struct command_line *line, const char *verb)
{
	char pd[OWN_PD_SIZE];

	return render_fail(line->json, OUTCOME_NOT_ALLOWED,
			   "the daemon listens with eBPF, and only root can start another that "
			   "does: %s daemon %s",
			   own_pd_sudo(pd), verb);
}

static int restart(const struct command_line *line)
{
	_cleanup_(running_deinit) struct running d;

	if (!running_find(&d))
		return start_new(line, &nothing, "started");
	if (d.status && is_beyond_us(&d))
		return refuse(line, "restart");
	return replace(line, &d, "restarted");
}

static int restore(const struct command_line *line)
{
	_cleanup_(running_deinit) struct running d;
	struct autostart_request request = { .restore = true };
	char error[STOP_DAEMON_ERROR_SIZE];
	enum outcome outcome = OUTCOME_OK;

	if (running_find(&d)) {
		if (d.status && is_beyond_us(&d))
			return refuse(line, "restore");
		request.instead_of = &d.peer;
		outcome = stop_daemon(&d.peer, "restore", !d.status, error);
	}
	if (outcome != OUTCOME_OK)
		return render_fail(line->json, outcome, "%s", error);
	return start_new(line, &request, "started on the backup");
}

static int run(const struct command_line *line)
{
	static const struct {
		const char *name;
		int (*run)(const struct command_line *line);
	} verbs[] = {
		{ "start", start }, { "stop", stop }, { "restart", restart }, { "restore", restore }
	};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(line->args[0], verbs[i].name) == 0)
			return verbs[i].run(line);
	return render_usage_error(line,
				  "'%.100s' is none of start, stop, restart and restore; pd status "
				  "tells how the daemon is",
				  line->args[0]);
}

const struct command cmd_daemon = {
	.name = "daemon",
	.arguments = "start|stop|restart|restore",
	.summary = "start, stop or replace the daemon in the background",
	.details =
		"Other commands start it by themselves unless PORT_DADDY_NO_AUTOSTART=1 is set.\n"
		"Started by root, the daemon listens to the kernel with eBPF and then gives its\n"
		"privileges away; started by anybody else it looks once a second.\n"
		"\n"
		"start replaces a daemon of another build, and by root one that only polls: for "
		"the\n"
		"same user, on the same claims, locks and sessions, which are on disk.  What "
		"happens\n"
		"on the ports while none runs is found out, and written into the log, by the "
		"next.\n"
		"stop is no error where no daemon runs; it ends your own, also where the system\n"
		"service runs beside it.  There the next pd hands your claims over to the service\n"
		"and ends your own by itself.  restore is restart with the database's "
		"backup,\n"
		"which the daemon makes once a day; what was in its place is kept beside it.\n",
	.examples = "  pd daemon start\n  sudo pd daemon start\n  pd daemon restart\n",
	.min_args = 1,
	.max_args = 1,
	.leaves_daemons = true,
	.run = run,
};
