/* SPDX-License-Identifier: MIT */
#include "cli/entry_view.h"

#include <string.h>
#include <time.h>

#include "base/moment.h"
#include "cli/answer.h"
#include "cli/render.h"
#include "cli/show.h"

#define ACTION_WIDTH	  7
#define SERVICE_WIDTH_MAX 40 /* a longer name pushes its own details only */

int entry_view_width(struct json_object *entries)
{
	size_t width = ENTRY_VIEW_WIDTH;

	for (size_t i = 0; i < answer_length(entries); i++) {
		size_t n = strlen(answer_text(answer_at(entries, i), "service"));

		if (n > width && n <= SERVICE_WIDTH_MAX)
			width = n;
	}
	return (int)width;
}

void entry_view_time(long long unix_s)
{
	char at[32];

	render_text(TONE_DIM, "[%s] ", moment_format_log(unix_s, (int64_t)time(NULL), at));
}

/* A line of the stream calls the action "event", the log calls it "action". */
static const char *action_of(struct json_object *entry)
{
	const char *action = answer_text(entry, "action");

	return *action ? action : answer_text(entry, "event");
}

void entry_view(struct json_object *entry, int service_width)
{
	const char *action = action_of(entry);
	int64_t at = answer_int(entry, "at");

	entry_view_time(at ? at : answer_int(entry, "timestamp"));
	render_text(show_action_tone(action), "%-*s", ACTION_WIDTH, action);
	render_text(TONE_PLAIN, " %-*s ", service_width, answer_text(entry, "service"));
	render_text(TONE_PLAIN, "%s", answer_text(entry, "details"));
	render_newline();
}
