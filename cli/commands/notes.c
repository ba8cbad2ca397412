/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/moment.h"
#include "base/text.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/client.h"
#include "cli/command.h"
#include "cli/commands/session_args.h"
#include "cli/render/render.h"

#define NOTES_MAX      2000 /* what the daemon keeps of a session */
#define CWD_SENT_BYTES 1000 /* the daemon reads no longer parameters */
#define DAY_SIZE       32
#define WRAPPED_BYTES  1000 /* a longer note is no line of a list any more */

/* "[2:10am] Started building"; a note of another day than the one above it begins with its day. */
static void show_note(struct json_object *note, int64_t now, char day[DAY_SIZE])
{
	int64_t at = answer_int(note, "at");
	const char *text = answer_text(note, "text");
	char own[DAY_SIZE], clock[16], head[DAY_SIZE + 16 + 4];

	moment_format_day(at, now, own);
	moment_format_clock(at, clock);
	if (strcmp(own, day) != 0)
		snprintf(head, sizeof(head), "[%s %s] ", own, clock);
	else
		snprintf(head, sizeof(head), "[%s] ", clock);
	snprintf(day, DAY_SIZE, "%s", own);
	render_text(TONE_DIM, "%s", head);
	if (render_columns() && strlen(text) <= WRAPPED_BYTES) {
		render_wrapped(TONE_PLAIN, (int)strlen(head), (int)strlen(head), 0, text);
	} else {
		render_long_text(text);
		render_newline();
	}
}

static void show(const struct command_line *line, struct json_object *notes)
{
	int64_t now = (int64_t)time(NULL);
	char day[DAY_SIZE];

	moment_format_day(now, now, day);
	for (size_t i = 0; i < answer_length(notes); i++) {
		struct json_object *note = answer_at(notes, i);

		if (line->quiet) {
			render_long_text(answer_text(note, "text"));
			render_newline();
		} else {
			show_note(note, now, day);
		}
	}
}

static int ask(const struct command_line *line, const struct session_args *args, const char *rows,
	       struct json_object **ret)
{
	bool send_cwd = strlen(args->cwd) <= CWD_SENT_BYTES &&
			text_is_utf8(args->cwd, strlen(args->cwd));
	const struct client_param params[] = {
		{ "session", args->session },
		{ "environment", args->environment },
		{ "cwd", *args->cwd && send_cwd ? args->cwd : NULL },
		{ "n", rows },
	};
	char path[3 * CWD_SENT_BYTES + 512];

	if (client_path("/v1/notes", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return render_usage_error(line, "the session's name is too long");
	return answer_get_list(line->json, path, 0, ret);
}

static int run(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	const char *rows = command_value(line, "lines");
	struct session_args args;
	struct json_object *notes;
	long n;
	int r = session_args_read(line, line->n_args ? line->args[0] : NULL, &args);

	if (!r && rows)
		r = check_count(line, "--lines", rows, NOTES_MAX, &n);
	r = r ?: ask(line, &args, rows, &answer);
	if (r)
		return r;
	notes = answer_member(answer, "notes");
	if (line->json)
		render_json(answer);
	else
		show(line, notes);
	if (answer_length(notes))
		return 0;
	if (!line->json)
		render_note("%s has no notes yet",
			    answer_text(answer_member(answer, "session"), "id"));
	return outcome_row(OUTCOME_NO)->exit_code;
}

const struct command cmd_notes = {
	.name = "notes",
	.arguments = "[SESSION] [-n N]",
	.summary = "show the notes of a session, oldest first",
	.details = "Without SESSION: of the session of this shell, see pd help session.  Any beginning\n"
		   "of an id is enough.  Exit code 1 when there are none.\n",
	.examples = "  pd notes session-ab3\n"
		    "  pd notes ab -n 5\n"
		    "  pd notes -j | jq -r '.notes[].text'\n",
	.max_args = 1,
	.options = {
		{ "lines", 'n', "N", "the newest N only" },
		{ NULL },
	},
	.run = run,
};
