/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>

#include "base/outcome.h"
#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/client/peer.h"
#include "cli/command.h"
#include "cli/render/render.h"

static int fail(bool json, enum outcome outcome, const char *message)
{
	_cleanup_(answer_freep) struct json_object *o = render_error_object(outcome, message);

	render_error(json, o);
	return outcome_row(outcome)->exit_code;
}

static void show(const struct command_line *line, const struct peer *daemon, bool started)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;
	/* three bytes stand for one that is no text */
	char socket[3 * sizeof(daemon->socket)];

	if (line->json) {
		o = json_object_new_object();
		json_object_object_add(o, "ok", json_object_new_boolean(true));
		json_object_object_add(o, "version", json_object_new_int(1));
		json_object_object_add(o, "pid", json_object_new_int(daemon->pid));
		json_object_object_add(o, "socket",
				       json_object_new_string(text_to_utf8(daemon->socket, socket,
									   sizeof(socket))));
		json_object_object_add(o, "started", json_object_new_boolean(started));
		render_json(o);
	} else if (line->quiet) {
		printf("%d\n", daemon->pid);
	} else {
		render_text(TONE_PLAIN, "%s (pid %d, %s)",
			    started ? "Daemon started" : "Daemon runs already", daemon->pid,
			    daemon->socket);
		render_newline();
	}
}

static int run(const struct command *self, const struct command_line *line)
{
	struct peer daemon;
	char error[1024];
	bool started = false;

	if (!peer_find(&daemon)) {
		enum outcome outcome = client_start_daemon(false, error, sizeof(error));

		if (outcome != OUTCOME_OK)
			return fail(line->json, outcome, error);
		started = true;
		if (!peer_find(&daemon))
			return fail(line->json, OUTCOME_NO_DAEMON, "the daemon ended again");
	}
	show(line, &daemon, started);
	peer_deinit(&daemon);
	return 0;
}

const struct command cmd_start = {
	.name = "start",
	.arguments = "",
	.summary = "start the daemon in the background",
	.details =
		"Other commands do that by themselves unless PORT_DADDY_NO_AUTOSTART=1 is set.\n"
		"Started by root, the daemon listens to the kernel with eBPF and then gives its\n"
		"privileges away; started by anybody else it looks once a second.\n",
	.examples = "  pd start\n  sudo pd start\n",
	.run = run,
};
