/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/identity.h"
#include "base/net.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/stop_guard.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/entry_view.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define LOG_MAX_ROWS	 10000
#define LOG_DEFAULT_ROWS 50 /* the daemon's, where no number is asked for */
#define MOMENT_SIZE	 sizeof("2024-02-28T02:00:00Z....")

/* The values of every --filter with commas between them; the daemon takes no longer one. */
#define FILTER_SIZE 1024

struct query {
	const struct command_line *line;
	const char *n;
	size_t rows; /* n */
	bool follow, verbose;
	char filter[FILTER_SIZE + 1];		 /* "" = everything */
	char from[MOMENT_SIZE], to[MOMENT_SIZE]; /* "" = open */
	int64_t last_id;			 /* the newest entry that was printed */
	int failed;				 /* exit code of the look back while following */
};

/* "CLAIM,myapp:*": each word an action, or what an entry is about. */
static int check_filter(const struct command_line *line, const char *filter)
{
	for (const char *word = filter;; word++) {
		size_t n = strcspn(word, ",");
		char text[FILTER_SIZE + 1];
		const char *why;
		uint16_t port;

		snprintf(text, sizeof(text), "%.*s", (int)n, word);
		if (*text == ':' && net_port_parse(text + 1, &port) < 0)
			return check_port(line, text + 1, &port);
		if (*text != ':' && pattern_check(text, &why) < 0)
			return render_usage_error(
				line,
				"the filter '%.100s' is no action, service, lock, session, :PORT "
				"or pattern: %s; for example CLAIM, :3000 or 'myapp:*'",
				text, why);
		word += n;
		if (!*word)
			return 0;
	}
}

/* The values of --filter, then the operands, which mean the same; NULL behind the last. */
static const char *filter_word(const struct command_line *line, int i)
{
	const char *word = command_value_at(line, "filter", i);
	int given = 0;

	if (word)
		return word;
	while (command_value_at(line, "filter", given))
		given++;
	return i - given < line->n_args ? line->args[i - given] : NULL;
}

static bool is_action(const char *word)
{
	static const char *const actions[] = {
		"CLAIM",   "RELEASE", "CLEANUP", "ACTIVE", "GHOST", "ORPHAN",
		"SQUAT",   "STALE",   "FAIL",	 "HEALTH", "LOCK",  "UNLOCK",
		"SESSION", "NOTE",    "RUN",	 "DAEMON", "GAP",
	};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcasecmp(actions[i], word) == 0)
			return true;
	return false;
}

/*
 * Behind what is there already.  Of the project's own services "web" is shop:web, as for other
 * commands, but a lock may be called so as well.  How long that makes all of it.
 */
static size_t add_values(const char *values, char ret[static FILTER_SIZE + 1], size_t used)
{
	char word[FILTER_SIZE + 1], id[IDENTITY_MAX + 1];

	for (const char *end; values; values = *end ? end + 1 : NULL) {
		const char *meant = word;

		end = values + strcspn(values, ",");
		snprintf(word, sizeof(word), "%.*s", (int)(end - values), values);
		if (!is_action(word))
			meant = config_meant_id(word, id);
		for (const char *each = word; each; each = each == meant ? NULL : meant)
			if (used <= FILTER_SIZE)
				used += (size_t)snprintf(ret + used, FILTER_SIZE + 1 - used, "%s%s",
							 used ? "," : "", each);
	}
	return used;
}

static int read_filter(const struct command_line *line, char ret[static FILTER_SIZE + 1])
{
	size_t used = 0;
	const char *word;

	ret[0] = '\0';
	for (int i = 0; (word = filter_word(line, i)); i++) {
		int r = check_filter(line, word);

		if (r)
			return r;
		used = add_values(word, ret, used);
		if (used > FILTER_SIZE)
			return render_usage_error(line, "the filter is longer than %d characters",
						  FILTER_SIZE);
	}
	return 0;
}

/* RFC 3339: a moment in words means the caller's zone, and the daemon may live in another one. */
static int put_moment(const struct command_line *line, const char *option, int64_t at,
		      char ret[static MOMENT_SIZE])
{
	time_t t = (time_t)at;
	struct tm tm;

	if (gmtime_r(&t, &tm) && strftime(ret, MOMENT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		return 0;
	return render_usage_error(line, "--%s '%.100s' is too far away", option,
				  command_value(line, option));
}

/* 0 in *ret when the option was not given. */
static int read_moment(const struct command_line *line, const char *option, int64_t now,
		       char *ret_text, int64_t *ret)
{
	const char *text = command_value(line, option);
	int r;

	*ret = 0;
	ret_text[0] = '\0';
	if (!text)
		return 0;
	r = check_moment(line, option, text, now, ret);
	return r ? r : put_moment(line, option, *ret, ret_text);
}

static int read_span(const struct command_line *line, struct query *q)
{
	const char *since = command_value(line, "since");
	int64_t now = (int64_t)time(NULL), from, to;
	int r;

	if (since && command_value(line, "from"))
		return render_usage_error(line, "--since and --from exclude each other");
	r = read_moment(line, since ? "since" : "from", now, q->from, &from);
	r = r ?: read_moment(line, "to", now, q->to, &to);
	if (r)
		return r;
	if (*q->from && *q->to && from > to)
		return render_usage_error(
			line, "--%s '%.100s' lies after --to '%.100s': no entry can fit",
			since ? "since" : "from", since ? since : command_value(line, "from"),
			command_value(line, "to"));
	if (q->follow && *q->to)
		return render_usage_error(line, "--follow and --to exclude each other");
	return 0;
}

static int read_query(const struct command_line *line, struct query *q)
{
	long rows = LOG_DEFAULT_ROWS;
	int r;

	*q = (struct query){
		.line = line,
		.n = command_value(line, "lines"),
		.follow = command_value(line, "follow") != NULL,
		.verbose = command_value(line, "verbose") != NULL,
	};
	r = read_filter(line, q->filter);
	if (!r && q->n)
		r = check_count(line, "--lines", q->n, LOG_MAX_ROWS, &rows);
	q->rows = (size_t)rows;
	return r ? r : read_span(line, q);
}

static int ask(const struct query *q, struct json_object **ret)
{
	struct client_param params[] = {
		{ "filter", *q->filter ? q->filter : NULL },
		{ "from", *q->from ? q->from : NULL },
		{ "to", *q->to ? q->to : NULL },
		{ "n", q->n },
	};
	char path[FILTER_SIZE * 3 + 512];

	if (client_path("/v1/log", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return render_usage_error(q->line, "the filter is too long");
	return answer_get_list(q->line->json, path, q->rows, ret);
}

/* --- once --- */

static int show_once(struct query *q)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *entries;
	size_t n;
	int width, r = ask(q, &answer);

	if (r)
		return r;
	entries = answer_member(answer, "entries");
	n = answer_length(entries);
	width = show_width(entries, "service", ENTRY_VIEW_WIDTH, ENTRY_VIEW_WIDTH_MAX);
	if (q->line->json)
		render_json(answer);
	else
		for (size_t i = 0; i < n; i++)
			entry_view(answer_at(entries, i), width, q->verbose);
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
		entry_view(entry, ENTRY_VIEW_WIDTH, q->verbose);
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
	struct client_param params[] = { { "filter", *q->filter ? q->filter : NULL } };
	char path[FILTER_SIZE * 3 + 128];
	enum outcome outcome;

	if (client_path("/v1/activity", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return render_usage_error(q->line, "the filter is too long");
	stop_guard_begin(); /* around the look back as well */
	outcome = client_stream(path, CLIENT_FOLLOWS, on_line, q, &error);
	if (stop_guard_end())
		return 0;
	if (q->failed)
		return q->failed;
	return render_outcome(q->line->json, outcome, error);
}

static int run(const struct command_line *line)
{
	struct query q;
	int r = read_query(line, &q);

	if (r)
		return r;
	return q.follow ? follow(&q) : show_once(&q);
}

const struct command cmd_log = {
	.name = "log",
	.arguments = "[WHAT]... [--filter WHAT]... [--since DUR | --from T] [--to T] [-n N] [-f] [-v]",
	.summary = "show what happened to services, ports, locks and sessions, newest first",
	.details =
		"WHAT is a service, a lock, a session, a pattern over those, a port (:3000 or 3000),\n"
		"claimed or not, or an action in any case; several are given with commas, or one by\n"
		"one.  An entry fits when it has one of the actions and is about one of the others.\n"
		"A word that is an action means the action: a service called claim is reached by the\n"
		"pattern 'clai?'.  Inside a project web is also its shop:web.\n"
		"\n"
		"Actions: CLAIM RELEASE CLEANUP of ports; ACTIVE GHOST ORPHAN SQUAT STALE, what the\n"
		"kernel showed of a service; FAIL, a bind or listen that was refused; HEALTH, its\n"
		"answer changed; LOCK UNLOCK; SESSION NOTE; RUN, what pd run started; DAEMON, its\n"
		"start and end; GAP, a time in which events were not seen.\n"
		"\n"
		"Moments: 2024-02-28 2:00am, 2024-02-28 14:00, 14:00, yesterday 9pm, now, 2h (ago),\n"
		"Feb 28 2:47:23 as this command prints them, or RFC 3339.  Old entries are dropped\n"
		"by age and number: portdaddyd --help.\n"
		"Exit code 1 when no entry fits.\n",
	.max_args = -1,
	.examples = "  pd log\n"
		    "  pd log myapp:api --since 1h\n"
		    "  pd log :3000\n"
		    "  pd log --filter CLAIM,RELEASE --filter 'myapp:*'\n"
		    "  pd log --filter db-migrations --since 2h30m -v\n"
		    "  pd log --from '2024-02-28 2:00am' --to '2024-02-28 3:00am'\n"
		    "  pd log -f\n",
	.options = {
		{ "filter", 0, "WHAT", "a service, lock, session, port, pattern or action", .repeats = true },
		{ "since", 0, "DUR", "not older than: 45s, 30m, 2h30m, 1d, or a moment" },
		{ "from", 0, "T", "not before this moment" },
		{ "to", 0, "T", "not after this moment" },
		{ "lines", 'n', "N", "at most so many entries (default 50)" },
		{ "follow", 'f', NULL, "print the last entries, then each new one" },
		{ "verbose", 'v', NULL, "also who did it: user, program and pid" },
		{ NULL },
	},
	.run = run,
};
