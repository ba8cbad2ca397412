/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define PURPOSE_COLUMNS	    27 /* at least */
#define PURPOSE_COLUMNS_MAX 60 /* a longer purpose is cut; --json has all of it */
#define AGENT_COLUMNS_MAX   20
#define STATUS_COLUMNS	    16
#define NOTE_COLUMNS	    75 /* of a last note, where there is no terminal to fit it to */
#define NOTE_COLUMNS_MIN    40 /* in less of one nothing is said */
#define ID_COLUMNS	    11 /* "session-ab3" */
/* The columns that fit a member of all of them, from `widest` to `most`. */
static int columns_of(struct json_object *sessions, const char *key, int widest, int most)
{
	char text[RENDER_CUT_SIZE];

	for (size_t i = 0; i < answer_length(sessions); i++) {
		int width = render_width(
			render_cut(answer_text(answer_at(sessions, i), key), most, text));

		if (width > widest)
			widest = width;
	}
	return widest;
}

static void show_last_note(struct json_object *note, int columns)
{
	char text[RENDER_CUT_SIZE], ago[SHOW_AGE_SIZE], tail[SHOW_AGE_SIZE + 8];

	snprintf(tail, sizeof(tail), " (%s)", show_ago(answer_int(note, "at"), ago));
	columns -= (int)strlen(tail);
	render_text(TONE_DIM, "%s%s", render_cut(answer_text(note, "text"), columns, text), tail);
}

struct layout {
	int purpose, purpose_max, agent; /* columns; no agent: 0 */
	int note;     /* what is left of the line; too little: a line of its own */
	bool stacked; /* so little room that the purpose gets lines of its own, too */
};

static struct layout lay_out(struct json_object *sessions)
{
	struct layout l = {
		.agent = columns_of(sessions, "agent", 0, AGENT_COLUMNS_MAX),
		.purpose_max = PURPOSE_COLUMNS_MAX,
		.note = NOTE_COLUMNS,
	};
	int others = ID_COLUMNS + 2 + 2 + STATUS_COLUMNS + (l.agent ? 2 + l.agent : 0);
	int columns = render_columns();

	if (columns && columns - others < l.purpose_max)
		l.purpose_max = columns - others;
	l.stacked = l.purpose_max < PURPOSE_COLUMNS;
	l.purpose = l.stacked ? 0 : columns_of(sessions, "purpose", PURPOSE_COLUMNS, l.purpose_max);
	if (columns)
		l.note = columns - others - l.purpose - 2;
	return l;
}

static void begin_line_below(void)
{
	render_text(TONE_PLAIN, "%*s", ID_COLUMNS + 2, "");
}

/* "session-ab3  Building checkout UI         active, 30m     Agent 1  Component complete (2m ago)"
 */
static void show_session(struct json_object *s, const struct layout *layout)
{
	const char *status = answer_text(s, "status"), *purpose = answer_text(s, "purpose");
	struct json_object *note = answer_member(s, "lastNote");
	bool below = layout->note < NOTE_COLUMNS_MIN, beside = note && !below;
	char cut[RENDER_CUT_SIZE], agent[RENDER_CUT_SIZE], age[16], state[64];

	render_cut(purpose, layout->purpose_max, cut);
	render_cut(answer_text(s, "agent"), AGENT_COLUMNS_MAX, agent);
	snprintf(state, sizeof(state), "%s, %s", status,
		 duration_format_short((int64_t)time(NULL) - answer_int(s, "since"), age));
	render_text(TONE_PLAIN, "%-*s  ", ID_COLUMNS, answer_text(s, "id"));
	if (!layout->stacked)
		render_text(TONE_PLAIN, "%s%*s  ", cut, layout->purpose - render_width(cut), "");
	/* no blanks at the line's end where nothing follows */
	render_text(show_session_tone(status), "%-*s", beside || *agent ? STATUS_COLUMNS : 0,
		    state);
	if (layout->agent && (beside || *agent))
		render_text(TONE_PLAIN, "  %s%*s", agent,
			    beside ? layout->agent - render_width(agent) : 0, "");
	if (layout->stacked) {
		render_newline();
		begin_line_below();
		render_wrapped(TONE_PLAIN, ID_COLUMNS + 2, ID_COLUMNS + 2, 0, purpose);
	}
	if (beside) {
		render_text(TONE_PLAIN, "  ");
	} else if (note) {
		if (!layout->stacked)
			render_newline();
		begin_line_below();
	}
	if (note)
		show_last_note(note, below ? render_columns() - ID_COLUMNS - 2 : layout->note);
	if (note || !layout->stacked)
		render_newline();
}

static void show(const struct command_line *line, struct json_object *answer)
{
	struct json_object *sessions = answer_member(answer, "sessions");
	const struct layout layout = lay_out(sessions);
	int64_t total = answer_int(answer, "active") + answer_int(answer, "stalled") +
			answer_int(answer, "completed");
	size_t n = answer_length(sessions);

	for (size_t i = 0; i < n; i++)
		if (line->quiet)
			printf("%s\n", answer_text(answer_at(sessions, i), "id"));
		else
			show_session(answer_at(sessions, i), &layout);
	if (!line->quiet && (int64_t)n < total && !command_value(line, "all"))
		render_note("%lld older ones are not shown: pd sessions --all",
			    (long long)(total - (int64_t)n));
}

static int run(const struct command_line *line)
{
	static const struct answer_rule rule = { "sessions", "id", ANSWER_SESSION };
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	bool all = command_value(line, "all") != NULL;
	int r = answer_get_list(line->json, all ? "/v1/sessions?all=1" : "/v1/sessions", 0,
				&answer);

	if (!r && (line->quiet || line->json))
		r = answer_check(line->json, answer, &rule, 1);
	if (r)
		return r;
	if (line->json)
		render_json(answer);
	else
		show(line, answer);
	if (answer_length(answer_member(answer, "sessions")))
		return 0;
	if (!line->json)
		render_note("no session yet; start one: pd session start PURPOSE");
	return outcome_row(OUTCOME_NO)->exit_code;
}

const struct command cmd_sessions = {
	.name = "sessions",
	.arguments = "[--all]",
	.summary = "list the sessions: what for, how they stand, the last note",
	.details = "Those that are not over come first, then the 20 that ended last.  The age is that\n"
		   "of the status.  A session is stalled when the shell or terminal that it stood on\n"
		   "is gone.  Exit code 1 when there is none.\n",
	.examples = "  pd sessions\n"
		    "  pd sessions --all\n"
		    "  pd sessions -j | jq '.sessions[] | select(.status == \"stalled\")'\n",
	.options = {
		{ "all", 'a', NULL, "also those that ended long ago" },
		{ NULL },
	},
	.run = run,
};
