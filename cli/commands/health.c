/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/identity.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/client/client.h"
#include "cli/client/stop_guard.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/health_view.h"
#include "cli/render/render.h"

#define TIMEOUT_MAX_S	   300 /* what the daemon accepts */
#define INTERVAL_MAX_S	   86400
#define INTERVAL_DEFAULT_S 2

struct query {
	char id[IDENTITY_MAX + 1];     /* of the project's service that a name means */
	char paths[CONFIG_PATHS_SIZE]; /* the health paths that its file has now */
	const struct command_line *line;
	const char *match, *timeout; /* NULL = not given */
	bool watch;
	int64_t interval_s;
};

/* One round of checks, as it comes. */
struct round {
	struct json_object *services; /* an array, in order of id once it is complete */
	struct json_object *summary;  /* the last line; NULL = there was none */
};

/* --- the command line --- */

static int check_span(const struct query *q, const char *option, int64_t max, int64_t *ret_s)
{
	const char *text = command_value(q->line, option);
	int64_t seconds;
	int r;

	if (!text)
		return 0;
	r = check_duration(q->line, option, text, &seconds);
	if (r)
		return r;
	if (seconds < 1 || seconds > max)
		return render_usage_error(q->line, "--%s '%.100s' is none from 1s to %llds", option,
					  text, (long long)max);
	*ret_s = seconds;
	return 0;
}

static int read_query(const struct command_line *line, struct query *q)
{
	int64_t timeout_s;
	size_t left_out = 0;
	int r;

	*q = (struct query){
		.line = line,
		.match = line->n_args ? line->args[0] : NULL,
		.timeout = command_value(line, "timeout"),
		.watch = command_value(line, "watch") != NULL,
		.interval_s = INTERVAL_DEFAULT_S,
	};
	r = q->match ? check_match(line, q->match) : 0;
	if (!r)
		q->match = config_meant_health(q->match, q->id, q->paths, &left_out);
	if (left_out)
		render_note(
			"%zu services are asked by the health path of their claim: the file has "
			"too many to send",
			left_out);
	r = r ?: check_span(q, "timeout", TIMEOUT_MAX_S, &timeout_s);
	r = r ?: check_span(q, "interval", INTERVAL_MAX_S, &q->interval_s);
	if (!r && !q->watch && command_value(line, "interval"))
		r = render_usage_error(line, "--interval needs --watch");
	return r;
}

/* --- a round --- */

static void round_deinit(struct round *round)
{
	render_progress_end();
	answer_free(round->services);
	answer_free(round->summary);
}

static bool on_line(struct json_object *line, void *user_data)
{
	struct round *round = user_data;

	if (answer_has(line, "service")) {
		json_object_array_add(round->services,
				      json_object_get(answer_member(line, "service")));
	} else if (answer_has(line, "waiting")) {
		render_progress("waiting for %lld of %lld…", (long long)answer_int(line, "waiting"),
				(long long)answer_int(line, "total"));
	} else if (answer_has(line, "healthy")) {
		round->summary = json_object_get(line);
		return false;
	}
	return true;
}

static int by_id(const void *left, const void *right)
{
	return strcmp(answer_text(*(struct json_object *const *)left, "id"),
		      answer_text(*(struct json_object *const *)right, "id"));
}

/* Before it is printed as it is, or as JSON. */
static int check_services(const struct command_line *line, struct json_object *services)
{
	static const struct answer_rule rules[] = {
		{ "services", "id", ANSWER_SERVICE },
		{ "services", "result", ANSWER_WORD },
	};
	_cleanup_(answer_freep) struct json_object *answer = json_object_new_object();

	if (!line->quiet && !line->json)
		return 0;
	json_object_object_add(answer, "services", json_object_get(services));
	return answer_check(line->json, answer, rules, ARRAY_SIZE(rules));
}

/* 0, also when ^C ended it (r->summary is NULL then), or pd's exit code. */
static int check_all(const struct query *q, struct round *round)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	struct client_param params[] = { { "match", q->match },
					 { "timeout", q->timeout },
					 { "paths", *q->paths ? q->paths : NULL } };
	char path[(PATTERN_MAX + CONFIG_PATHS_SIZE) * 3 + 256];
	enum outcome outcome;

	*round = (struct round){ .services = json_object_new_array() };
	if (client_path("/v1/health", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		return render_usage_error(q->line, "the pattern is too long");
	outcome = client_stream(path, CLIENT_ENDS, on_line, round, &error);
	render_progress_end();
	json_object_array_sort(round->services, by_id);
	if (outcome == OUTCOME_OK)
		return check_services(q->line, round->services);
	return render_outcome(q->line->json, outcome, error);
}

/* --- what it says --- */

/* The summary, with the services as one member: the shape of every other answer. */
static void show_json(struct round *round)
{
	json_object_object_add(round->summary, "services", json_object_get(round->services));
	render_json(round->summary);
}

static void show_quiet(struct json_object *services, bool one)
{
	for (size_t i = 0; i < answer_length(services); i++) {
		struct json_object *service = answer_at(services, i);

		if (one)
			printf("%s\n", answer_text(service, "result"));
		else
			printf("%s %s\n", answer_text(service, "id"),
			       answer_text(service, "result"));
	}
}

static bool is_one(const struct query *q)
{
	return q->match && (q->match[0] == ':' || !pattern_has_wildcard(q->match));
}

static void show(const struct query *q, struct round *round)
{
	int width = health_view_width(round->services);

	if (q->line->json)
		show_json(round);
	else if (q->line->quiet)
		show_quiet(round->services, is_one(q));
	else if (is_one(q))
		health_view_one(answer_at(round->services, 0));
	else
		for (size_t i = 0; i < answer_length(round->services); i++)
			health_view_line(answer_at(round->services, i), width);
	if (!answer_length(round->services) && !q->line->json)
		render_note("nothing is claimed yet; try: pd claim myapp:web");
	if (!answer_bool(round->summary, "stored"))
		render_note("the results could not be written down; see the daemon's log");
}

static int once(const struct query *q)
{
	_cleanup_(round_deinit) struct round round;
	int r = check_all(q, &round);

	if (r)
		return r;
	if (!round.summary) /* ^C: not known is not well, for a script that goes on */
		return outcome_row(OUTCOME_NO)->exit_code;
	show(q, &round);
	/* what was not tried for want of a place is not known to be well */
	return answer_int(round.summary, "unhealthy") || answer_int(round.summary, "notTried")
		       ? outcome_row(OUTCOME_NO)->exit_code
		       : 0;
}

/* --- again and again --- */

static struct json_object *find(struct json_object *services, const char *id)
{
	for (size_t i = 0; i < answer_length(services); i++)
		if (strcmp(answer_text(answer_at(services, i), "id"), id) == 0)
			return answer_at(services, i);
	return NULL;
}

static void show_change(const struct query *q, struct json_object *service, int width)
{
	if (q->line->json)
		render_json_line(service);
	else if (q->line->quiet)
		printf("%s %s\n", answer_text(service, "id"), answer_text(service, "result"));
	else
		health_view_change(service, width);
}

static void show_changes(const struct query *q, struct json_object *before,
			 struct json_object *after)
{
	int width = health_view_width(after);

	for (size_t i = 0; i < answer_length(after); i++) {
		struct json_object *service = answer_at(after, i);
		struct json_object *old = find(before, answer_text(service, "id"));

		if (!old || health_view_differs(old, service))
			show_change(q, service, width);
	}
}

static void redraw(const struct query *q, struct round *round)
{
	int width = health_view_width(round->services);

	render_redraw();
	render_line(TONE_DIM, "every %llds: %lld healthy, %lld unhealthy; ^C ends",
		    (long long)q->interval_s, (long long)answer_int(round->summary, "healthy"),
		    (long long)answer_int(round->summary, "unhealthy"));
	for (size_t i = 0; i < answer_length(round->services); i++)
		health_view_line(answer_at(round->services, i), width);
}

static int watch_rounds(const struct query *q)
{
	_cleanup_(answer_freep) struct json_object *before = NULL;
	bool redraws = render_can_redraw() && !q->line->json && !q->line->quiet;

	do {
		_cleanup_(round_deinit) struct round round;
		int r = check_all(q, &round);

		if (r)
			return r;
		if (!round.summary)
			return 0;
		if (redraws)
			redraw(q, &round);
		else
			show_changes(q, before, round.services);
		if (fflush(stdout) || ferror(stdout))
			return 0; /* who read us has left */
		answer_free(before);
		before = TAKE_PTR(round.services);
	} while (stop_guard_pause(q->interval_s));
	return 0;
}

static int watch(const struct query *q)
{
	int r;

	stop_guard_begin();
	r = watch_rounds(q);
	return stop_guard_end() ? 0 : r;
}

static int run(const struct command_line *line)
{
	struct query q;
	int r = read_query(line, &q);

	if (r)
		return r;
	return q.watch ? watch(&q) : once(&q);
}

const struct command cmd_health = {
	.name = "health",
	.arguments = "[ID|PATTERN|:PORT] [--timeout DUR] [--watch [--interval DUR]]",
	.summary = "check whether services answer, all at once",
	.details =
		"With a health path (that of .portdaddyrc as it is now, else of pd claim --health), a\n"
		"GET over HTTP or HTTPS: 2xx and 3xx are healthy, redirects are not followed,\n"
		"certificates not verified.  Without one, a connection over TCP; the kernel accepts\n"
		"that for a program that hangs, too.  Where nothing listens, that is said and nothing\n"
		"waited for.\n"
		"\n"
		"Exit code 1 when any is unhealthy: also when it is stale, a ghost, or waited for, or\n"
		"could not be tried in time because too many other checks ran.\n"
		"--watch prints what changes, and on a terminal draws the whole anew.\n",
	.examples = "  pd health\n"
		    "  pd health myapp:api\n"
		    "  pd health 'myapp:*' --timeout 2s\n"
		    "  pd health --watch\n"
		    "  pd health -j | jq -r '.services[] | select(.healthy == false).id'\n",
	.max_args = 1,
	.options = {
		{ "timeout", 't', "DUR", "for each service, 1s to 300s (default 5s)" },
		{ "watch", 'w', NULL, "check again and again; ^C ends" },
		{ "interval", 0, "DUR", "of --watch: the pause between two checks (default 2s)" },
		{ NULL },
	},
	.run = run,
};
