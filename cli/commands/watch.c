/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/identity.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/polling.h"
#include "cli/client/stop_guard.h"
#include "cli/command.h"
#include "cli/render/entry_view.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define ENDPOINT_SIZE  128
#define ENDPOINT_WIDTH 24
#define OUTCOME_SIZE   160
#define LINE_SIZE      1024

/* "tcp 127.0.0.1:3000", "udp [::1]:5353" */
static const char *endpoint_of(struct json_object *event, char ret[static ENDPOINT_SIZE])
{
	const char *address = answer_text(event, "addr");
	bool v6 = strchr(address, ':') != NULL;
	char port[SHOW_PORT_SIZE];

	snprintf(ret, ENDPOINT_SIZE, "%s %s%s%s:%s", answer_text(event, "proto"), v6 ? "[" : "",
		 *address ? address : "?", v6 ? "]" : "", show_port(event, port));
	return ret;
}

/* ", EADDRINUSE, held by node (pid 4711)", or how a process ended; "" where neither was the case.
 */
static const char *outcome_of(struct json_object *event, char ret[static OUTCOME_SIZE])
{
	struct json_object *holder = answer_member(event, "holder");
	const char *error = answer_text(event, "errno");

	ret[0] = '\0';
	if (*error && answer_int(holder, "pid"))
		snprintf(ret, OUTCOME_SIZE, ", %s, held by %s (pid %d)", error,
			 answer_text(holder, "comm"), (int)answer_int(holder, "pid"));
	else if (*error)
		snprintf(ret, OUTCOME_SIZE, ", %s", error);
	else if (answer_has(event, "signal"))
		snprintf(ret, OUTCOME_SIZE, ", killed by signal %d",
			 (int)answer_int(event, "signal"));
	else if (answer_has(event, "exitCode"))
		snprintf(ret, OUTCOME_SIZE, ", exit code %d", (int)answer_int(event, "exitCode"));
	return ret;
}

static void show_event(struct json_object *event)
{
	const char *kind = answer_text(event, "event");
	const char *warning = answer_text(event, "warning");
	char endpoint[ENDPOINT_SIZE], outcome[OUTCOME_SIZE], line[LINE_SIZE];
	int column = entry_view_head(answer_int(event, "at"), kind, answer_text(event, "service"),
				     ENTRY_VIEW_WIDTH);
	size_t used = 0;

	if (answer_int(event, "port"))
		used = (size_t)snprintf(line, sizeof(line), "%-*s  ", ENDPOINT_WIDTH,
					endpoint_of(event, endpoint));
	snprintf(line + used, sizeof(line) - used, "%s (pid %d)%s", answer_text(event, "comm"),
		 (int)answer_int(event, "pid"), outcome_of(event, outcome));
	render_wrapped(*answer_text(event, "errno") ? TONE_BAD : TONE_PLAIN, column, column, 0,
		       line);
	if (*warning) {
		snprintf(line, sizeof(line), "warning: %s", warning);
		render_text(TONE_PLAIN, "  ");
		render_wrapped(TONE_WARN, 2, 2, 0, line);
	}
}

struct watch {
	const struct command_line *line;
	bool begun; /* the stream, once */
};

/* Another daemon has taken the place of the one that was watched. */
static void mark_gap(const struct watch *watch)
{
	_cleanup_(answer_freep) struct json_object *gap = NULL;

	if (!watch->line->json) {
		render_note("the daemon was replaced; what happened meanwhile is not shown");
		return;
	}
	gap = json_object_new_object();
	json_object_object_add(gap, "at", json_object_new_int64((int64_t)time(NULL)));
	json_object_object_add(gap, "event", json_object_new_string("GAP"));
	render_json_line(gap);
}

static bool on_line(struct json_object *line, void *user_data)
{
	struct watch *watch = user_data;

	if (answer_has(line, "stream")) {
		if (watch->begun)
			mark_gap(watch);
		watch->begun = true;
		return !ferror(stdout);
	}
	if (watch->line->json)
		render_json_line(line);
	else if (answer_has(line, "details"))
		entry_view(line, ENTRY_VIEW_WIDTH, false);
	else
		show_event(line);
	fflush(stdout);
	return !ferror(stdout);
}

/* Silence would be taken for peace: without eBPF most of what a watch is opened for is not seen. */
static int say_what_is_not_seen(void)
{
	_cleanup_(answer_freep) struct json_object *status = NULL;
	int r = answer_get(false, "GET", "/v1/status", NULL, &status);
	struct json_object *kernel;

	if (r)
		return r;
	kernel = answer_member(status, "kernel");
	if (polling_is(status))
		render_note("the daemon runs without eBPF: it looks once a second, and does not "
			    "see refused binds (pd status says why)");
	else if (!strcmp(answer_text(kernel, "trace"), "hooks"))
		render_note("the daemon does not see refused binds (pd status says why)");
	return 0;
}

static int watch_path(const struct command_line *line, const char *path)
{
	_cleanup_(answer_freep) struct json_object *error = NULL;
	struct watch watch = { .line = line };
	int r = line->json || line->quiet ? 0 : say_what_is_not_seen();
	enum outcome outcome;

	if (r)
		return r;
	outcome = client_stream(path, CLIENT_FOLLOWS, on_line, &watch, &error);
	return render_outcome(line->json, outcome, error);
}

static int run(const struct command_line *line)
{
	struct client_param params[] = { { "pattern", line->n_args ? line->args[0] : NULL } };
	char path[PATTERN_MAX * 3 + 128];
	int r = line->n_args ? check_pattern(line, line->args[0]) : 0;

	if (!r && client_path("/v1/events", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		r = render_usage_error(line, "the pattern is too long");
	if (r)
		return r;
	stop_guard_begin();
	r = watch_path(line, path);
	return stop_guard_end() ? 0 : r;
}

const struct command cmd_watch = {
	.name = "watch",
	.arguments = "[PATTERN]",
	.summary = "print claims and the kernel's events as they happen",
	.details =
		"BIND, LISTEN, CLOSE, FAIL and EXIT come from the kernel, the moment they happen;\n"
		"a FAIL names the address that was asked for, the error, and who holds it.  Ends\n"
		"with ^C.  With -j, one JSON object a line.  A daemon that is restarted meanwhile "
		"is\n"
		"watched on, behind a mark (GAP).\n",
	.examples = "  pd watch\n"
		    "  pd watch 'myapp:*'\n"
		    "  pd watch -j | jq -c 'select(.event == \"FAIL\")'\n",
	.max_args = 1,
	.run = run,
};
