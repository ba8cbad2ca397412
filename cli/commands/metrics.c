/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/moment.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/client/client.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define LABEL_COLUMNS	    21
#define PROBE_COLUMNS	    14
#define REQUEST_COLUMNS	    20 /* "POST /v1/sessions/end" */
#define SUBJECT_COLUMNS	    17
#define SUBJECT_COLUMNS_MAX 40
#define LATENCY_COLUMNS	    7

/* --- what was counted --- */

static void show_line(const char *label, const char *value)
{
	char head[LABEL_COLUMNS + 16];

	snprintf(head, sizeof(head), "%s:", label);
	render_line(TONE_PLAIN, "%-*s%s", LABEL_COLUMNS, head, value);
}

static void show_count(const char *label, struct json_object *o, const char *key)
{
	char number[SHOW_NUMBER_SIZE];

	show_line(label, show_number(answer_int(o, key), number));
}

static void show_requests(struct json_object *answer)
{
	char text[SHOW_NUMBER_SIZE];

	show_line("Uptime", duration_format_long(answer_int(answer, "uptime"), text));
	show_count("Requests", answer, "requests");
	show_line("Avg Response Time", show_latency(answer_int(answer, "averageUs"), text));
	show_line("Max Response Time", show_latency(answer_int(answer, "maxUs"), text));
	show_count("Database Queries", answer_member(answer, "database"), "queries");
	show_count("Errors", answer, "errors");
	show_line("Memory Usage",
		  show_bytes(answer_int(answer_member(answer, "memory"), "bytes"), text));
}

static void show_probe(struct json_object *probe)
{
	const char *state = answer_text(probe, "state"), *reason = answer_text(probe, "reason");
	bool works = strcmp(state, "works") == 0;

	render_text(TONE_PLAIN, "  %-*s ", PROBE_COLUMNS, answer_text(probe, "name"));
	render_text(works ? TONE_GOOD : TONE_WARN, "%-8s", state);
	render_text(TONE_DIM, " %s", answer_text(probe, "attached"));
	if (!works)
		render_text(TONE_PLAIN, "%s%s: %s", *reason ? ", " : "", reason,
			    answer_text(probe, "blind"));
	render_newline();
}

/* "4 BIND, 2 LISTEN": the kinds that came at all. */
static void show_kinds(struct json_object *kinds)
{
	char line[512] = "", number[SHOW_NUMBER_SIZE];
	size_t used = 0;

	if (!kinds)
		return;
	json_object_object_foreach(kinds, kind, count) {
		int64_t n = json_object_get_int64(count);

		if (n && used < sizeof(line))
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s %s",
						 used ? ", " : "", show_number(n, number), kind);
	}
	if (used)
		show_line("  of them", line);
}

static void show_kernel(struct json_object *kernel)
{
	struct json_object *probes = answer_member(kernel, "probes");

	show_count("Kernel Events", kernel, "events");
	show_kinds(answer_member(kernel, "byKind"));
	show_count("Events Lost", kernel, "lost");
	show_count("Resyncs", kernel, "resyncs");
	if (!answer_length(probes)) {
		show_line("Probes", "none: the kernel's tables are read once a second");
		return;
	}
	render_line(TONE_PLAIN, "Probes:");
	for (size_t i = 0; i < answer_length(probes); i++)
		show_probe(answer_at(probes, i));
}

/* --- the slowest --- */

static void show_slow_request(struct json_object *request, int subject_columns)
{
	const char *subject = answer_text(request, "subject"), *method, *outcome;
	char name[96], took[SHOW_NUMBER_SIZE], db[SHOW_NUMBER_SIZE], queue[SHOW_NUMBER_SIZE];
	int pad = subject_columns - render_width(subject);

	method = answer_text(request, "method");
	outcome = answer_text(request, "outcome");
	snprintf(name, sizeof(name), "%s%s%s", method, *method ? " " : "",
		 *method ? answer_text(request, "path") : "(no route)");
	render_text(TONE_PLAIN, "%-*s  %s%*s  %*s", REQUEST_COLUMNS, name, subject,
		    pad > 0 ? pad : 0, "", LATENCY_COLUMNS,
		    show_latency(answer_int(request, "tookUs"), took));
	render_text(TONE_DIM, "  (database %s, queue %s)",
		    show_latency(answer_int(request, "databaseUs"), db),
		    show_latency(answer_int(request, "queueUs"), queue));
	if (strcmp(outcome, "ok") != 0)
		render_text(TONE_WARN, "  %s", outcome);
	render_newline();
}

static void show_slow(struct json_object *slow)
{
	struct json_object *requests = answer_member(slow, "requests");
	size_t n = answer_length(requests);
	char over[SHOW_NUMBER_SIZE];
	int columns = SUBJECT_COLUMNS;

	show_latency(answer_int(slow, "overUs"), over);
	if (!n) {
		render_line(TONE_PLAIN, "No request took longer than %s", over);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int width = render_width(answer_text(answer_at(requests, i), "subject"));

		if (width > columns && width <= SUBJECT_COLUMNS_MAX)
			columns = width;
	}
	render_line(TONE_PLAIN, "Slowest requests (>%s):", over);
	for (size_t i = 0; i < n; i++)
		show_slow_request(answer_at(requests, i), columns);
	if (!answer_bool(slow, "complete"))
		render_note("these are the slowest %zu; there were more", n);
}

/* --- the command --- */

static void show_lines(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		render_long_text(line);
		if (text)
			render_newline();
	}
}

static int show_prometheus(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	_cleanup_free_ char *text = NULL;
	enum outcome outcome = client_text("/metrics", &text, &error);

	/* nothing of it is hazardous to a terminal, or it is not what it should be */
	if (outcome == OUTCOME_OK)
		show_lines(text);
	return render_outcome(line->json, outcome, error);
}

static int read_over(const struct command_line *line, char *ret, size_t size)
{
	const char *over = command_value(line, "over");
	int64_t us;
	int r;

	snprintf(ret, size, "/v1/metrics");
	if (!over)
		return 0;
	r = check_fine_duration(line, "over", over, &us);
	if (!r)
		snprintf(ret, size, "/v1/metrics?over=%lld", (long long)us);
	return r;
}

static int run(const struct command_line *line)
{
	static const struct answer_rule rule = { NULL, "requests", ANSWER_COUNT };
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	bool slow = command_value(line, "slow") || command_value(line, "over");
	bool prometheus = command_value(line, "prometheus") != NULL;
	char path[64];
	int r = read_over(line, path, sizeof(path));

	if (!r && prometheus && (slow || line->json))
		r = render_usage_error(line, "--prometheus is a format of its own: it goes with "
					     "neither --slow nor --json");
	if (r)
		return r;
	if (prometheus)
		return show_prometheus(line);
	r = answer_get(line->json, "GET", path, NULL, &answer);
	if (!r && line->quiet)
		r = answer_check(line->json, answer, &rule, 1);
	if (r)
		return r;
	if (line->json) {
		render_json(answer);
	} else if (slow) {
		show_slow(answer_member(answer, "slow"));
	} else if (line->quiet) {
		printf("%lld\n", (long long)answer_int(answer, "requests"));
	} else {
		show_requests(answer);
		show_kernel(answer_member(answer, "kernel"));
	}
	return 0;
}

const struct command cmd_metrics = {
	.name = "metrics",
	.arguments = "[--slow] [--over DUR] | [--prometheus]",
	.summary = "show what the daemon costs: requests, latency, database, memory, kernel events",
	.details =
		"Counted since the daemon started.  Errors are answers that are the daemon's own fault.\n"
		"Memory is the proportional set size.  --slow lists the slowest requests, with the\n"
		"time that each spent in the database, and waiting for the commit that several share.\n"
		"The same text as --prometheus prints is served to scrapers:\n"
		"curl --unix-socket ~/.port-daddy/pd.sock http://localhost/metrics\n",
	.examples = "  pd metrics\n"
		    "  pd metrics --slow\n"
		    "  pd metrics --over 5ms\n"
		    "  pd metrics --prometheus\n",
	.options = {
		{ "slow", 0, NULL, "the slowest requests, over 100ms" },
		{ "over", 0, "DUR", "the slowest requests, over this: 5ms, 250us, 1s" },
		{ "prometheus", 0, NULL, "the text format of Prometheus" },
		{ NULL },
	},
	.run = run,
};
