/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>

#include "base/session.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/commands/session_args.h"
#include "cli/render/render.h"

static void show(const struct command_line *line, struct json_object *answer)
{
	const char *id = answer_text(answer, "session");

	if (line->json) {
		render_json(answer);
	} else if (line->quiet) {
		printf("%s\n", id);
	} else {
		render_text(TONE_PLAIN, "Noted in %s", id);
		render_line(TONE_DIM, " (%s)", answer_text(answer, "purpose"));
		if (answer_bool(answer, "revived"))
			render_note("%s was stalled and is active again", id);
	}
}

static int run(const struct command_line *line)
{
	static const struct answer_rule rule = { NULL, "session", ANSWER_SESSION };
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	_cleanup_free_ char *text = NULL;
	struct session_args args;
	int r = session_args_read(line, command_value(line, "session"), &args);

	r = r ?: session_text_read(line, 0, "note", NOTE_MAX_BYTES, &text);
	if (r)
		return r;
	if (session_text_is_blank(text))
		return render_usage_error(line, "the note is empty");
	session_args_add(&args, body);
	json_object_object_add(body, "text", json_object_new_string(text));
	r = answer_get(line->json, "POST", "/v1/notes", body, &answer);
	r = r ?: answer_check(line->json, answer, &rule, 1);
	if (!r)
		show(line, answer);
	return r;
}

const struct command cmd_note = {
	.name = "note",
	.arguments = "TEXT [--session SESSION]",
	.summary = "write a note into the session of this shell",
	.details =
		"The words are joined by blanks; - reads the note from standard input.  At most 16 KB.\n"
		"Which session: see pd help session.  Exit code 1 when there is none, 4 when several\n"
		"fit.\n",
	.examples = "  pd note 'Blocked waiting on payment API types'\n"
		    "  git log -1 | pd note -\n"
		    "  pd note --session ab3 'taken over'\n",
	.min_args = 1,
	.max_args = -1,
	.options = {
		{ "session", 's', "SESSION", "into this one: its id, or any beginning of it" },
		{ NULL },
	},
	.run = run,
};
