/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/render/show.h"
#include "cli/supervise/target.h"

#define ROWS_MAX     20000
#define ROWS_DEFAULT 50
#define ENDED_SIZE   64

struct query {
	const struct command_line *line;
	struct target target; /* nothing in it = all ports */
	char since[32];	      /* Unix seconds; "" = all */
	long rows;
};

static int read_query(const struct command_line *line, struct query *q)
{
	const char *rows = command_value(line, "lines");
	const char *since = command_value(line, "since");
	int64_t from;
	int r;

	*q = (struct query){ .line = line, .rows = ROWS_DEFAULT };
	r = line->n_args ? target_read(line, line->args[0], &q->target) : 0;
	if (!r && q->target.run)
		r = render_usage_error(line, "'%s' is a run; its service or its port has a history",
				       line->args[0]);
	if (!r && rows)
		r = check_count(line, "--lines", rows, ROWS_MAX, &q->rows);
	if (!r && since)
		r = check_moment(line, "since", since, (int64_t)time(NULL), &from);
	if (!r && since)
		snprintf(q->since, sizeof(q->since), "%" PRId64, from);
	return r;
}

static int ask(const struct query *q, struct json_object **ret)
{
	char port[8], rows[16], path[1024];
	const struct client_param params[] = {
		{ "port", q->target.port ? port : NULL },
		{ "id", *q->target.service ? q->target.service : NULL },
		{ "since", *q->since ? q->since : NULL },
		{ "n", rows },
	};

	snprintf(port, sizeof(port), "%u", q->target.port);
	snprintf(rows, sizeof(rows), "%ld", q->rows);
	client_path("/v1/history", params, ARRAY_SIZE(params), path, sizeof(path));
	return answer_get_list(q->line->json, path, (size_t)q->rows, ret);
}

/* --- as a table --- */

/* "closed it", "exit code 1", "killed by signal 9", "has it", "not known". */
static const char *ended_of(struct json_object *entry, char ret[static ENDED_SIZE])
{
	struct json_object *ended = answer_member(entry, "ended");
	const char *how = answer_text(ended, "how");
	int code = (int)answer_int(ended, "code");

	if (!ended)
		return "has it";
	if (strcmp(how, "exit") == 0)
		snprintf(ret, ENDED_SIZE, "exit code %d", code);
	else if (strcmp(how, "signal") == 0)
		snprintf(ret, ENDED_SIZE, "signal %d", code);
	else if (strcmp(how, "unknown") == 0)
		strcpy(ret, "not known");
	else
		snprintf(ret, ENDED_SIZE, "%.32s", how);
	return ret;
}

static const char *moment_of(struct json_object *entry, const char *key, char ret[static 32])
{
	int64_t at = answer_int(entry, key);

	ret[0] = '\0';
	return at ? moment_format_log(at, (int64_t)time(NULL), ret) : ret;
}

static void show_row(struct render_table *t, struct json_object *entry)
{
	struct json_object *ended = answer_member(entry, "ended");
	char from[32], until[32], words[ENDED_SIZE], port[SHOW_PORT_SIZE];
	int pid = (int)answer_int(entry, "pid");
	bool udp = strcmp(answer_text(entry, "proto"), "udp") == 0;

	render_table_cell(t, TONE_PLAIN, "%s%s", show_port(entry, port), udp ? "/udp" : "");
	render_table_text(t, TONE_PLAIN, answer_text(entry, "addr"));
	render_table_text(t, TONE_PLAIN, answer_text(entry, "comm"));
	if (pid)
		render_table_cell(t, TONE_PLAIN, "%d", pid);
	else
		render_table_text(t, TONE_PLAIN, "");
	render_table_text(t, TONE_PLAIN, answer_text(entry, "user"));
	render_table_text(t, TONE_PLAIN, answer_text(entry, "service"));
	render_table_text(t, TONE_DIM, moment_of(entry, "since", from));
	render_table_text(t, TONE_DIM, moment_of(entry, "until", until));
	render_table_text(t,
			  !ended		      ? TONE_GOOD
			  : answer_int(ended, "code") ? TONE_WARN
						      : TONE_PLAIN,
			  ended_of(entry, words));
}

static void show_table(struct json_object *entries)
{
	static const char *const headings[] = { "Port",	   "Address", "Process", "PID",	 "User",
						"Service", "From",    "Until",	 "Ended" };
	struct render_table *t = render_table_new(headings, ARRAY_SIZE(headings));

	render_table_right(t, 3);
	render_table_flexible(t, 5, 8);
	render_table_flexible(t, 2, 6);
	render_table_droppable(t, 1, RENDER_DROP_EARLY);
	render_table_droppable(t, 4, RENDER_DROP_EARLY);
	render_table_droppable(t, 6, RENDER_DROP_LATE);
	render_table_optional(t, 5);
	render_table_optional(t, 7);
	for (size_t i = 0; i < answer_length(entries); i++)
		show_row(t, answer_at(entries, i));
	render_table_print(t);
}

static int run(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *entries;
	struct query q;
	int r = read_query(line, &q);

	r = r ?: ask(&q, &answer);
	if (r)
		return r;
	entries = answer_member(answer, "entries");
	if (line->json)
		render_json(answer);
	else if (answer_length(entries))
		show_table(entries);
	else
		render_note("nobody is known to have had %s",
			    line->n_args ? q.target.name : "a port");
	if (!line->json && !line->quiet && answer_int(answer, "leftOut"))
		render_note("%" PRId64 " holders came too fast after each other to be written down",
			    answer_int(answer, "leftOut"));
	return answer_length(entries) ? 0 : outcome_row(OUTCOME_NO)->exit_code;
}

const struct command cmd_history = {
	.name = "history",
	.arguments = "[PORT|ID] [--since DUR] [-n N]",
	.summary = "who had a port, claimed or not, and how it ended, newest first",
	.details =
		"One row for each socket that served: TCP that listened, and UDP outside of the ports\n"
		"of outgoing traffic.  3000->5742 is a port that stands in the program, and the one it\n"
		"was given.  Process and user are those who bound it.  How it ended: closed\n"
		"by a process that lived on, its exit code, the signal that killed it; not known where\n"
		"no daemon ran, or runs without eBPF.\n"
		"\n"
		"pd log PORT tells of claims and refusals as well.  Rows are kept for 30 days, 20,000 at\n"
		"most, and whoever has most of them makes room; who binds hundreds of times a second is\n"
		"not written down each time.\n"
		"Exit code 1 where nobody is known.\n",
	.examples = "  pd history 3000\n"
		    "  pd history shop:web --since 2h\n"
		    "  pd history -j -n 1000 | jq '.entries[] | select(.ended.how == \"signal\")'\n",
	.max_args = 1,
	.options = {
		{ "since", 0, "DUR", "had it within: 45s, 2h30m, 1d, or since a moment" },
		{ "lines", 'n', "N", "at most so many rows (default 50)" },
		{ NULL },
	},
	.run = run,
};
