/* SPDX-License-Identifier: MIT */
#include "cli/render/entry_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define ACTION_WIDTH 7
#define LINE_SIZE    4096

int entry_view_head(int64_t at_unix_s, const char *action, const char *service, int service_width)
{
	int action_width = (int)strlen(action), column;
	char at[32];

	moment_format_log(at_unix_s, (int64_t)time(NULL), at);
	render_text(TONE_DIM, "[%s] ", at);
	render_text(show_action_tone(action), "%-*s ", ACTION_WIDTH, action);
	column = (int)strlen("[] ") + (int)strlen(at) +
		 (action_width > ACTION_WIDTH ? action_width : ACTION_WIDTH) + 1;
	column = render_head(column, service_width, service);
	render_text(TONE_PLAIN, " ");
	return column + 1;
}

/* A line of the stream calls the action "event", the log calls it "action". */
static const char *action_of(struct json_object *entry)
{
	const char *action = answer_text(entry, "action");

	return *action ? action : answer_text(entry, "event");
}

/* "  (by erich: node 4711)" */
static void add_who(char *line, size_t size, struct json_object *entry)
{
	const char *user = answer_text(entry, "user"), *comm = answer_text(entry, "comm");
	int pid = (int)answer_int(entry, "pid");
	size_t used = strlen(line);

	if (!*user && !pid)
		return;
	used += (size_t)snprintf(line + used, size - used, "  (%s%s", *user ? "by " : "", user);
	if (pid && used < size)
		used += (size_t)snprintf(line + used, size - used, "%s%s%s%d", *user ? ": " : "",
					 comm, *comm ? " " : "pid ", pid);
	if (used < size)
		snprintf(line + used, size - used, ")");
}

void entry_view(struct json_object *entry, int service_width, bool who)
{
	int64_t at = answer_int(entry, "at");
	char line[LINE_SIZE];
	int column = entry_view_head(at ? at : answer_int(entry, "timestamp"), action_of(entry),
				     answer_text(entry, "service"), service_width);

	/* Of a refused call the details name who was in the way; who was refused stands beside. */
	if (strcmp(action_of(entry), "FAIL") == 0 && answer_int(entry, "pid"))
		snprintf(line, sizeof(line), "%s (%d) %s", answer_text(entry, "comm"),
			 (int)answer_int(entry, "pid"), answer_text(entry, "details"));
	else
		snprintf(line, sizeof(line), "%s", answer_text(entry, "details"));
	if (who)
		add_who(line, sizeof(line), entry);
	render_wrapped(TONE_PLAIN, column, column, 0, line);
}
