/* SPDX-License-Identifier: MIT */
#include "cli/render/health_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define WIDTH_MAX	 60 /* a longer id pushes its own line only */
#define ELAPSED_SIZE	 24
#define HEADLINE_SIZE	 160
#define LINE_SIZE	 1024
#define CONTINUED_INDENT 4

/* What a result is called, unless a status of HTTP says more. */
static const struct word {
	const char *result, *headline;
	enum render_tone tone;
} words[] = {
	{ "ok", "TCP OK", TONE_GOOD },
	{ "http_error", "HTTP ERROR", TONE_BAD },
	{ "timeout", "TIMEOUT", TONE_BAD },
	{ "refused", "REFUSED", TONE_BAD },
	{ "unreachable", "UNREACHABLE", TONE_BAD },
	{ "reset", "RESET", TONE_BAD },
	{ "closed", "CLOSED", TONE_BAD },
	{ "not_http", "NOT HTTP", TONE_BAD },
	{ "tls_failed", "TLS FAILED", TONE_BAD },
	{ "failed", "FAILED", TONE_BAD },
	{ "not_tried", "NOT TRIED", TONE_WARN },
	{ "ghost", "GHOST", TONE_BAD },
	{ "squatted", "SQUATTED", TONE_BAD },
	{ "stopped", "STOPPED", TONE_BAD },
	{ "stale", "STALE", TONE_WARN },
	{ "waiting", "WAITING", TONE_WARN },
	{ "other_namespace", "UNREACHABLE", TONE_WARN },
	{ "udp", "UDP", TONE_PLAIN },
};

/* Of a daemon that is newer than this pd. */
static const struct word unknown_word = { "", "UNKNOWN", TONE_WARN };

static const struct word *word_of(struct json_object *service)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].result, answer_text(service, "result")) == 0)
			return &words[i];
	return &unknown_word;
}

int health_view_width(struct json_object *services)
{
	return show_width(services, "id", 0, WIDTH_MAX);
}

static const char *elapsed_of(struct json_object *service, char ret[static ELAPSED_SIZE])
{
	long long ms = (long long)answer_int(service, "elapsedMs");

	snprintf(ret, ELAPSED_SIZE, ms ? "%lldms" : "<1ms", ms);
	return ret;
}

/* True for an answer that took a time; the others have a reason. */
static bool was_answered(struct json_object *service)
{
	return answer_int(service, "httpStatus") || answer_bool(service, "healthy");
}

/* True when a plain request led to TLS: the claim says http. */
static bool is_https_by_guess(struct json_object *service)
{
	return strncmp(answer_text(service, "details"), "it speaks HTTPS", 15) == 0;
}

/* Returns the columns of it. */
static int show_headline(struct json_object *service)
{
	const struct word *word = word_of(service);
	const char *reason = answer_text(service, "reason");
	int status = (int)answer_int(service, "httpStatus");
	int columns = render_sign_and_blank(word->tone);
	char text[HEADLINE_SIZE];

	if (status)
		snprintf(text, sizeof(text), "%d%s%s%s", status, *reason ? " " : "", reason,
			 is_https_by_guess(service) ? ", https" : "");
	else
		snprintf(text, sizeof(text), "%s", word->headline);
	render_text(word->tone, "%s", text);
	return columns + render_width(text);
}

/*
 * The headline, with how long an answer took or why there was none, and with what is not as it
 * should be although it is well; from the column on where the line stands.
 */
static void show_health(struct json_object *service, int column, bool elapsed_too)
{
	const char *details = answer_text(service, "details");
	const char *warning = answer_text(service, "warning");
	bool answered = was_answered(service);
	char elapsed[ELAPSED_SIZE], text[LINE_SIZE];
	size_t used = 0;

	column += show_headline(service);
	if (answered)
		details = elapsed_too ? elapsed_of(service, elapsed) : "";
	if (*details)
		used = (size_t)snprintf(text, sizeof(text), " (%s)", details);
	if (*warning && used < sizeof(text))
		used += (size_t)snprintf(text + used, sizeof(text) - used, ", but %s", warning);
	if (used)
		render_wrapped(*warning ? TONE_WARN : TONE_PLAIN, column, CONTINUED_INDENT, 0,
			       text);
	else
		render_newline();
}

void health_view_line(struct json_object *service, int width)
{
	int column = render_head(0, width, answer_text(service, "id"));

	render_text(TONE_PLAIN, " ");
	show_health(service, column + 1, true);
}

void health_view_change(struct json_object *service, int width)
{
	char at[32];

	render_text(TONE_DIM, "[%s] ",
		    moment_format_log(answer_int(service, "checkedAt"), (int64_t)time(NULL), at));
	health_view_line(service, width);
}

static void show_times(struct json_object *service)
{
	char age[SHOW_AGE_SIZE], elapsed[ELAPSED_SIZE];

	if (was_answered(service))
		render_line(TONE_PLAIN, "Response time: %s", elapsed_of(service, elapsed));
	render_line(TONE_PLAIN, "Last checked: %s",
		    show_ago(answer_int(service, "checkedAt"), age));
}

/* "✅ 200 OK", and what belongs to it on lines of their own. */
void health_view_one(struct json_object *service)
{
	const char *url = answer_text(service, "url"), *details = answer_text(service, "details");
	char age[SHOW_AGE_SIZE];

	show_health(service, 0, false);
	show_times(service);
	if (!answer_bool(service, "healthy"))
		render_line(TONE_PLAIN, "Last claimed: %s",
			    show_ago(answer_int(service, "claimedAt"), age));
	if (*url)
		render_line(TONE_PLAIN, "URL: %s", url);
	if (!*url || !answer_bool(service, "healthy"))
		render_line(TONE_PLAIN, "Port: %d", (int)answer_int(service, "port"));
	if (was_answered(service) && *details) {
		render_text(TONE_PLAIN, "Details: ");
		render_wrapped(TONE_PLAIN, 9, 9, 0, details);
	}
}

bool health_view_differs(struct json_object *before, struct json_object *after)
{
	return answer_int(before, "httpStatus") != answer_int(after, "httpStatus") ||
	       answer_int(before, "port") != answer_int(after, "port") ||
	       strcmp(answer_text(before, "result"), answer_text(after, "result")) != 0 ||
	       strcmp(answer_text(before, "warning"), answer_text(after, "warning")) != 0;
}
