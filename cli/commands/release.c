/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/render.h"

static void warn_of_holders(struct json_object *service)
{
	struct json_object *holders = answer_member(service, "heldBy");

	for (size_t i = 0; i < answer_length(holders); i++) {
		struct json_object *holder = answer_at(holders, i);

		render_note("port %d is still held by %s (pid %d)",
			    (int)answer_int(service, "port"), answer_text(holder, "process"),
			    (int)answer_int(holder, "pid"));
	}
}

static void show_released(const struct command_line *line, struct json_object *released)
{
	size_t n = answer_length(released);

	for (size_t i = 0; i < n; i++) {
		struct json_object *service = answer_at(released, i);
		int port = (int)answer_int(service, "port");

		if (line->quiet) {
			printf("%d\n", port);
			continue;
		}
		render_text(TONE_PLAIN, "Port %d released", port);
		/* One name was asked for and needs no repeating; a pattern does. */
		if (n > 1)
			render_text(TONE_DIM, " (%s)", answer_text(service, "id"));
		render_newline();
		warn_of_holders(service);
	}
}

static void show_refused(struct json_object *refused)
{
	for (size_t i = 0; i < answer_length(refused); i++) {
		struct json_object *service = answer_at(refused, i);

		render_note("%s (port %d) belongs to another user and was not released",
			    answer_text(service, "id"), (int)answer_int(service, "port"));
	}
}

static int run(const struct command_line *line)
{
	static const struct answer_rule rules[] = {
		{ "released", "port", ANSWER_PORT },
		{ "released", "id", ANSWER_SERVICE },
	};
	_cleanup_(answer_freep) struct json_object *body = NULL;
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char id[IDENTITY_MAX + 1];
	int r = check_match(line, line->args[0]);

	if (r)
		return r;
	body = json_object_new_object();
	json_object_object_add(body, "match",
			       json_object_new_string(config_meant_id(line->args[0], id)));
	r = answer_get(line->json, "POST", "/v1/releases", body, &answer);
	r = r ?: answer_check(line->json, answer, rules, ARRAY_SIZE(rules));
	if (r)
		return r;
	if (line->json) {
		render_json(answer);
	} else {
		show_released(line, answer_member(answer, "released"));
		show_refused(answer_member(answer, "refused"));
	}
	if (answer_length(answer_member(answer, "refused")) > 0)
		return outcome_row(OUTCOME_NOT_ALLOWED)->exit_code;
	return 0;
}

const struct command cmd_release = {
	.name = "release",
	.arguments = "ID|PATTERN|:PORT",
	.summary = "give a port back",
	.details =
		"No process is stopped: when one still holds the port, that is said.  The service\n"
		"gets the same port again when it claims again.\n",
	.examples = "  pd release myapp:web\n"
		    "  pd release 'myapp:*'\n"
		    "  pd release :3000\n",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
