/* SPDX-License-Identifier: MIT */
#include "cli/render/entry_view.h"

#include <string.h>
#include <time.h>

#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

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

void entry_view_head(int64_t at_unix_s, const char *action, const char *service, int service_width)
{
	char at[32];

	render_text(TONE_DIM, "[%s] ", moment_format_log(at_unix_s, (int64_t)time(NULL), at));
	render_text(show_action_tone(action), "%-*s", ACTION_WIDTH, action);
	render_text(TONE_PLAIN, " %-*s ", service_width, service);
}

/* A line of the stream calls the action "event", the log calls it "action". */
static const char *action_of(struct json_object *entry)
{
	const char *action = answer_text(entry, "action");

	return *action ? action : answer_text(entry, "event");
}

static void show_who(struct json_object *entry)
{
	const char *user = answer_text(entry, "user"), *comm = answer_text(entry, "comm");
	int pid = (int)answer_int(entry, "pid");

	if (!*user && !pid)
		return;
	render_text(TONE_DIM, "  (%s%s", *user ? "by " : "", user);
	if (pid)
		render_text(TONE_DIM, "%s%s%s%d", *user ? ": " : "", comm, *comm ? " " : "pid ",
			    pid);
	render_text(TONE_DIM, ")");
}

void entry_view(struct json_object *entry, int service_width, bool who)
{
	int64_t at = answer_int(entry, "at");

	entry_view_head(at ? at : answer_int(entry, "timestamp"), action_of(entry),
			answer_text(entry, "service"), service_width);
	/* Of a refused call the details name who was in the way; who was refused stands beside. */
	if (strcmp(action_of(entry), "FAIL") == 0 && answer_int(entry, "pid"))
		render_text(TONE_PLAIN, "%s (%d) ", answer_text(entry, "comm"),
			    (int)answer_int(entry, "pid"));
	render_text(TONE_PLAIN, "%s", answer_text(entry, "details"));
	if (who)
		show_who(entry);
	render_newline();
}
