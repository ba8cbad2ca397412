/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/follow.h"
#include "cli/client/polling.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/supervise/hardcoded.h"
#include "cli/supervise/waiting.h"

#define TARGETS_MAX	16 /* names and ports of one stream's filter */
#define FILTER_SIZE	(TARGETS_MAX * (IDENTITY_MAX + 2))
#define TIMEOUT_DEFAULT "30s"
#define TELL_AFTER_MS	2000 /* what is still waited for */
#define SLEEP_MAX_MS	(24 * 3600 * 1000)
#define LOOK_MS		1000 /* without eBPF, and without a daemon */
#define FAILURES_MAX	5
#define WORDS_SIZE	(WAITING_WORDS_SIZE + HARDCODED_WORDS_SIZE)
/* A CLOSE is told while the kernel takes the socket apart: looks after an event. */
#define ECHO_FIRST_MS 1
#define ECHO_LAST_MS  125

struct wait {
	const struct command_line *line;
	struct waiting list[TARGETS_MAX];
	int n;
	enum waiting_goal goal;
	const char *timeout; /* as it was typed */
	int64_t began_ms, until_ms;
	int failures; /* of looks, since one that did not fail */
	bool told;    /* what is still waited for */
	bool tells;   /* the daemon hears of listens and closes */
	struct follow stream;
	bool event;		     /* something has happened since the last look */
	int64_t echo_ms, echo_at_ms; /* of the next look after an event; 0 = there is none */
};

static double waited_s(const struct wait *w)
{
	return (double)(clock_ms(CLOCK_MONOTONIC) - w->began_ms) / 1000;
}

/* --- looking --- */

static bool is_over(const struct wait *w)
{
	for (int i = 0; i < w->n; i++)
		if (!w->list[i].reached)
			return false;
	return true;
}

/* A daemon that is being replaced, or was killed, is there again before long. */
static bool may_come_back(struct wait *w, int outcome)
{
	w->failures = outcome == OUTCOME_FAILED ? w->failures + 1 : 0;
	return outcome == OUTCOME_NO_DAEMON ||
	       (outcome == OUTCOME_FAILED && w->failures <= FAILURES_MAX);
}

/* At those that are not reached yet.  0, or an exit code. */
static int look(struct wait *w)
{
	for (int i = 0; i < w->n; i++) {
		_cleanup_(answer_freep) struct json_object *error = NULL;
		struct waiting *one = &w->list[i];
		int outcome = one->reached ? 0 : waiting_look(one, &error);

		if (may_come_back(w, outcome)) {
			one->again_ms = clock_ms(CLOCK_MONOTONIC) + LOOK_MS;
			snprintf(one->still, sizeof(one->still), "%s", answer_error_message(error));
		} else if (outcome) {
			return render_outcome(w->line->json, (enum outcome)outcome, error);
		}
	}
	return 0;
}

/* --- what the daemon tells --- */

static void take_line(struct json_object *line, void *user_data)
{
	struct wait *w = user_data;

	w->event = true;
}

static int open_stream(struct wait *w)
{
	char filter[FILTER_SIZE] = "", path[3 * FILTER_SIZE + 64];
	const struct client_param param = { "filter", filter };
	size_t used = 0;

	for (int i = 0; i < w->n; i++) {
		const struct target *t = &w->list[i].target;

		if (*t->service)
			used += (size_t)snprintf(filter + used, sizeof(filter) - used, "%s%s",
						 i ? "," : "", t->service);
		else
			used += (size_t)snprintf(filter + used, sizeof(filter) - used, "%s:%u",
						 i ? "," : "", t->port);
	}
	client_path("/v1/events", &param, 1, path, sizeof(path));
	return follow_open(&w->stream, path);
}

/* Where the kernel is heard nobody has to look again; a daemon that polls is asked each second. */
static int ask_whether_it_tells(struct wait *w)
{
	_cleanup_(answer_freep) struct json_object *status = NULL;
	int r = answer_get(w->line->json, "GET", "/v1/status", NULL, &status);

	w->tells = !r && !polling_is(status);
	return r;
}

/* --- the loop --- */

static void take_earlier(int64_t *earliest_ms, int64_t at_ms)
{
	if (at_ms && at_ms < *earliest_ms)
		*earliest_ms = at_ms;
}

static int64_t next_ms(const struct wait *w)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC), next = w->until_ms;

	take_earlier(&next, w->told ? 0 : w->began_ms + TELL_AFTER_MS);
	take_earlier(&next, w->echo_at_ms);
	take_earlier(&next, w->tells && w->stream.c.fd >= 0 ? 0 : now_ms + LOOK_MS);
	for (int i = 0; i < w->n; i++)
		take_earlier(&next, w->list[i].reached ? 0 : w->list[i].again_ms);
	return next;
}

/* Sleeps until something happens, or is due. */
static void sleep_on(struct wait *w)
{
	struct pollfd fd = { .fd = w->stream.c.fd, .events = POLLIN };
	int64_t left_ms = next_ms(w) - clock_ms(CLOCK_MONOTONIC);

	w->event = false;
	if (left_ms > SLEEP_MAX_MS)
		left_ms = SLEEP_MAX_MS;
	if (poll(&fd, 1, left_ms > 0 ? (int)left_ms : 0) > 0 &&
	    follow_read(&w->stream, take_line, w))
		w->event = true; /* the stream has ended */
	if (w->event)
		w->echo_ms = ECHO_FIRST_MS;
	else if (w->echo_at_ms && clock_ms(CLOCK_MONOTONIC) >= w->echo_at_ms)
		w->echo_ms = w->echo_ms < ECHO_LAST_MS ? 5 * w->echo_ms : 0;
	w->echo_at_ms = w->echo_ms ? clock_ms(CLOCK_MONOTONIC) + w->echo_ms : 0;
}

/* As waiting_words(), with the run that would have that port and has another one for it. */
static const char *words_of(const struct waiting *one, char ret[static WORDS_SIZE])
{
	char elsewhere[HARDCODED_WORDS_SIZE];
	size_t used;

	waiting_words(one, ret);
	used = strlen(ret);
	if (one->target.port && one->goal != WAITING_FREE &&
	    hardcoded_words(one->target.port, "wait", elsewhere))
		snprintf(ret + used, WORDS_SIZE - used, "; %s", elsewhere);
	return ret;
}

static void tell_what_for(struct wait *w)
{
	char line[1024] = "", words[WORDS_SIZE];
	size_t used = 0;

	if (w->told || clock_ms(CLOCK_MONOTONIC) < w->began_ms + TELL_AFTER_MS)
		return;
	w->told = true;
	for (int i = 0; i < w->n && used < sizeof(line); i++)
		if (!w->list[i].reached)
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s",
						 used ? "; " : "", words_of(&w->list[i], words));
	render_say(w->line->quiet, "still waiting for %s", line);
}

static int give_up(const struct wait *w)
{
	char line[2048], words[WORDS_SIZE];
	size_t used = (size_t)snprintf(line, sizeof(line), "not within %.32s", w->timeout);

	for (int i = 0; i < w->n && used < sizeof(line); i++)
		if (!w->list[i].reached)
			used += (size_t)snprintf(line + used, sizeof(line) - used, "; %s",
						 words_of(&w->list[i], words));
	return render_fail(w->line->json, OUTCOME_NO, "%s", line);
}

/* The stream stands before the first look, so that nothing is missed in between. */
static int wait_for_all(struct wait *w)
{
	int r = ask_whether_it_tells(w);

	while (!r) {
		if (w->stream.c.fd < 0)
			open_stream(w);
		r = look(w);
		if (r || is_over(w))
			break;
		if (clock_ms(CLOCK_MONOTONIC) >= w->until_ms)
			return give_up(w);
		tell_what_for(w);
		sleep_on(w);
	}
	return r;
}

/* --- what it says --- */

static struct json_object *view(const struct wait *w, const struct waiting *one)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "port", json_object_new_int(one->port));
	json_object_object_add(o, "service",
			       *one->target.service ? json_object_new_string(one->target.service)
						    : NULL);
	json_object_object_add(o, "state", json_object_new_string(waiting_state(w->goal)));
	json_object_object_add(o, "waited", json_object_new_double(waited_s(w)));
	return o;
}

/* One that was waited for is the answer itself; several are a list. */
static void show_json(const struct wait *w)
{
	struct json_object *list = json_object_new_array();
	_cleanup_(answer_freep) struct json_object *o = w->n == 1 ? view(w, &w->list[0])
								  : json_object_new_object();

	for (int i = 0; i < w->n; i++)
		json_object_array_add(list, view(w, &w->list[i]));
	json_object_object_add(o, "ok", json_object_new_boolean(true));
	json_object_object_add(o, "version", json_object_new_int(1));
	json_object_object_add(o, "waits", list);
	render_json(o);
}

static void show(const struct wait *w)
{
	for (int i = 0; i < w->n; i++) {
		const struct waiting *one = &w->list[i];

		render_text(TONE_PLAIN, "%s is %s", one->target.name, waiting_state(w->goal));
		if (*one->target.service)
			render_text(TONE_PLAIN, " on port %u", one->port);
		if (*one->by)
			render_text(TONE_DIM, "  %s", one->by);
		render_newline();
	}
}

/* --- the command line --- */

static int read_targets(const struct command_line *line, struct wait *w)
{
	int r = 0;

	for (w->n = 0; !r && w->n < line->n_args; w->n++) {
		w->list[w->n].goal = w->goal;
		r = target_read(line, line->args[w->n], &w->list[w->n].target);
		if (!r && w->list[w->n].target.run)
			r = render_usage_error(
				line,
				"'%s' is a run; wait for its service or its port: pd wait shop:web",
				line->args[w->n]);
	}
	return r;
}

static int read_line(const struct command_line *line, struct wait *w)
{
	const char *timeout = command_value(line, "timeout");
	int64_t timeout_us;
	bool is_free = command_value(line, "free");
	bool healthy = command_value(line, "healthy");

	*w = (struct wait){ .line = line,
			    .timeout = timeout ? timeout : TIMEOUT_DEFAULT,
			    .began_ms = clock_ms(CLOCK_MONOTONIC),
			    .stream = { .c = { .fd = -1 } } };
	if (is_free && healthy)
		return render_usage_error(line, "--free and --healthy exclude each other");
	w->goal = is_free ? WAITING_FREE : healthy ? WAITING_HEALTHY : WAITING_LISTENS;
	if (check_fine_duration(line, "timeout", w->timeout, &timeout_us))
		return outcome_row(OUTCOME_BAD_REQUEST)->exit_code;
	w->until_ms = w->began_ms + (timeout_us + 999) / 1000;
	return read_targets(line, w);
}

static int run(const struct command_line *line)
{
	struct wait w;
	int r = read_line(line, &w);

	if (r)
		return r;
	r = wait_for_all(&w);
	follow_close(&w.stream);
	if (r)
		return r;
	if (line->json)
		show_json(&w);
	else if (!line->quiet)
		show(&w);
	return 0;
}

const struct command cmd_wait = {
	.name = "wait",
	.arguments = "PORT|ID... [--free | --healthy] [--timeout DUR]",
	.summary = "wait until ports or services are there, or free",
	.details =
		"Returns when all of them listen: a server accepts at 127.0.0.1, and for a claim one\n"
		"that fits it.  One that listens on ::1 alone does not count, and is named.  With\n"
		"--healthy each answers as pd health asks, too; with --free a server could bind each\n"
		"port.  Nobody polls: the kernel's events wake it, and where the kernel tells nothing,\n"
		"as of TIME_WAIT, a timer for its known end.  Health alone is asked again and again,\n"
		"once something listens, and a daemon without eBPF each second.\n"
		"\n"
		"After 2s one line on stderr says what it still waits for; -q says nothing.\n"
		"Exit code 1 when the time is over.\n",
	.examples = "  pd wait 5432\n"
		    "  pd wait shop:api shop:db --timeout 1m && npm test\n"
		    "  pd wait shop:web --healthy\n"
		    "  pd wait 3000 --free && ./server --port 3000\n",
	.min_args = 1,
	.max_args = TARGETS_MAX,
	.options = {
		{ "free", 0, NULL, "until each port can be bound" },
		{ "healthy", 0, NULL, "until each is healthy" },
		{ "timeout", 't', "DUR", "give up after it (30s)" },
		{ NULL },
	},
	.run = run,
};
