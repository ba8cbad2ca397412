/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/identity.h"
#include "base/moment.h"
#include "cli/answer.h"
#include "cli/check.h"
#include "cli/command.h"
#include "cli/entry_view.h"
#include "cli/render.h"

#define LOG_MAX_ROWS 10000 /* what the daemon hands out at once */
#define MOMENT_SIZE  sizeof("2024-02-28T02:00:00Z....")

struct query {
	const struct command_line *line;
	const char *filter, *since, *n;
	bool follow;
	char from[MOMENT_SIZE], to[MOMENT_SIZE]; /* "" = open */
	int64_t last_id;			 /* the newest entry that was printed */
	int failed;				 /* exit code of the look back while following */
};

/* A moment in words means the caller's zone; the daemon may live in another one. */
static int read_moment(const struct command *self, const struct command_line *line,
		       const char *option, int64_t now, char *ret)
{
	const char *text = command_value(self, line, option);
	struct tm tm;
	int64_t at;
	time_t t;
	int e;

	ret[0] = '\0';
	if (!text)
		return 0;
	e = check_moment(self, line, option, text, now, &at);
	if (e)
		return e;
	t = (time_t)at;
	if (!gmtime_r(&t, &tm) || strftime(ret, MOMENT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return render_usage_error(line->json, self->name, "--%s '%s' is too far away",
					  option, text);
	return 0;
}

static int check_spans(const struct command *self, const struct command_line *line,
		       const struct query *q)
{
	int64_t age;
	int e = q->since ? check_duration(self, line, "since", q->since, &age) : 0;

	if (e)
		return e;
	if (q->since && *q->from)
		return render_usage_error(line->json, self->name,
					  "--since and --from exclude each other");
	if (q->follow && *q->to)
		return render_usage_error(line->json, self->name,
					  "--follow and --to exclude each other");
	return 0;
}

static int read_query(const struct command *self, const struct command_line *line, struct query *q)
{
	int64_t now = (int64_t)time(NULL);
	long rows;
	int e = 0;

	*q = (struct query){
		.line = line,
		.filter = command_value(self, line, "filter"),
		.since = command_value(self, line, "since"),
		.n = command_value(self, line, "lines"),
		.follow = command_value(self, line, "follow") != NULL,
	};
	if (q->filter)
		e = check_pattern(self, line, q->filter);
	if (!e && q->n)
		e = check_count(self, line, "--lines", q->n, LOG_MAX_ROWS, &rows);
	if (!e)
		e = read_moment(self, line, "from", now, q->from);
	if (!e)
		e = read_moment(self, line, "to", now, q->to);
	return e ? e : check_spans(self, line, q);
}

static int ask(const struct query *q, struct json_object **ret)
{
	struct client_param params[] = {
		{ "filter", q->filter },
		{ "since", q->since },
		{ "from", *q->from ? q->from : NULL },
		{ "to", *q->to ? q->to : NULL },
		{ "n", q->n },
	};
	char path[PATTERN_MAX * 3 + 512];

	if (client_path("/v1/log", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return render_usage_error(q->line->json, "log", "the filter is too long");
	return answer_get(q->line->json, "GET", path, NULL, ret);
}

/* --- once --- */

static int show_once(struct query *q)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *entries;
	size_t n;
	int e = ask(q, &answer);

	if (e)
		return e;
	entries = answer_member(answer, "entries");
	n = answer_length(entries);
	if (q->line->json)
		render_json(answer);
	else
		for (size_t i = 0; i < n; i++)
			entry_view(answer_at(entries, i), entry_view_width(entries));
	if (n > 0)
		return 0;
	if (!q->line->json)
		render_note("no entry fits");
	return outcome_row(OUTCOME_NO)->exit_code;
}

/* --- following --- */

static void show_followed(struct query *q, struct json_object *entry)
{
	int64_t id = answer_int(entry, "id");

	/* What happened between the stream's begin and the look back comes twice. */
	if (id && id <= q->last_id)
		return;
	if (id)
		q->last_id = id;
	if (q->line->json)
		render_json_line(entry);
	else
		entry_view(entry, ENTRY_VIEW_WIDTH);
	fflush(stdout);
}

/* The entries so far, oldest first, once the stream stands: none is missed in between. */
static bool look_back(struct query *q)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *entries;

	q->failed = ask(q, &answer);
	if (q->failed)
		return false;
	entries = answer_member(answer, "entries");
	for (size_t i = answer_length(entries); i > 0; i--)
		show_followed(q, answer_at(entries, i - 1));
	return true;
}

static bool on_line(struct json_object *line, void *user_data)
{
	struct query *q = user_data;

	if (answer_has(line, "stream"))
		return look_back(q);
	show_followed(q, line);
	return !ferror(stdout);
}

static int follow(struct query *q)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	struct client_param params[] = { { "filter", q->filter } };
	char path[PATTERN_MAX * 3 + 128];
	enum outcome outcome;

	if (client_path("/v1/activity", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return render_usage_error(q->line->json, "log", "the filter is too long");
	outcome = client_stream(path, on_line, q, &error);
	if (q->failed)
		return q->failed;
	if (outcome != OUTCOME_OK)
		render_error(q->line->json, error);
	return outcome_row(outcome)->exit_code;
}

static int run(const struct command *self, const struct command_line *line)
{
	struct query q;
	int e = read_query(self, line, &q);

	if (e)
		return e;
	return q.follow ? follow(&q) : show_once(&q);
}

const struct command cmd_log = {
	.name = "log",
	.arguments = "[--filter SERVICE|ACTION] [--since DUR | --from T] [--to T] [-n N] [-f]",
	.summary = "show what happened to services and ports, newest first",
	.details = "Actions: CLAIM RELEASE ACTIVE GHOST ORPHAN SQUAT STALE FAIL GAP DAEMON.\n"
		   "Moments: 2024-02-28 2:00am, 2024-02-28 14:00, 14:00, yesterday 9pm, now, or\n"
		   "RFC 3339.  Exit code 1 when no entry fits.\n",
	.examples = "  pd log\n"
		    "  pd log --filter myapp:api --since 1h\n"
		    "  pd log --filter FAIL -n 5\n"
		    "  pd log --from '2024-02-28 2:00am' --to '2024-02-28 3:00am'\n"
		    "  pd log -f\n",
	.options = {
		{ "filter", 0, "F", "a service, a pattern, or an action" },
		{ "since", 0, "DUR", "not older than: 45s, 30m, 2h30m, 1d" },
		{ "from", 0, "T", "not before this moment" },
		{ "to", 0, "T", "not after this moment" },
		{ "lines", 'n', "N", "at most so many entries (default 50)" },
		{ "follow", 'f', NULL, "print the last entries, then each new one" },
		{ NULL },
	},
	.run = run,
};
