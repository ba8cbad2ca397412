/* SPDX-License-Identifier: MIT */
#include "cli/render/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "cli/client/answer.h"

struct word {
	const char *name;
	enum render_tone tone;
};

static const struct word statuses[] = {
	{ "active", TONE_GOOD },  { "claimed", TONE_PLAIN }, { "ghost", TONE_WARN },
	{ "stale", TONE_DIM },	  { "orphaned", TONE_WARN }, { "orphan", TONE_WARN },
	{ "squatted", TONE_BAD }, { "ending", TONE_WARN },
};

static const struct word session_statuses[] = {
	{ "active", TONE_GOOD },
	{ "stalled", TONE_WARN },
	{ "completed", TONE_DIM },
};

static const struct word actions[] = {
	{ "CLAIM", TONE_GOOD },	 { "ACTIVE", TONE_GOOD }, { "LISTEN", TONE_GOOD },
	{ "GHOST", TONE_WARN },	 { "ORPHAN", TONE_WARN }, { "GAP", TONE_WARN },
	{ "FAIL", TONE_BAD },	 { "SQUAT", TONE_BAD },	  { "STALE", TONE_DIM },
	{ "CLEANUP", TONE_DIM }, { "CLOSE", TONE_DIM },	  { "UNLISTEN", TONE_DIM },
	{ "EXIT", TONE_DIM },
};

static enum render_tone tone_of(const struct word *words, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i].name, name) == 0)
			return words[i].tone;
	return TONE_PLAIN;
}

enum render_tone show_status_tone(const char *status)
{
	return tone_of(statuses, ARRAY_SIZE(statuses), status);
}

enum render_tone show_session_tone(const char *status)
{
	return tone_of(session_statuses, ARRAY_SIZE(session_statuses), status);
}

enum render_tone show_action_tone(const char *action)
{
	return tone_of(actions, ARRAY_SIZE(actions), action);
}

const char *show_ago(int64_t unix_s, char ret[static SHOW_AGE_SIZE])
{
	int64_t age = (int64_t)time(NULL) - unix_s;
	char text[16];

	/* The clock may have been set back since. */
	if (unix_s == 0)
		ret[0] = '\0';
	else if (age < 1)
		snprintf(ret, SHOW_AGE_SIZE, "just now");
	else
		snprintf(ret, SHOW_AGE_SIZE, "%s ago", duration_format_short(age, text));
	return ret;
}

const char *show_port(struct json_object *row, char ret[static SHOW_PORT_SIZE])
{
	int port = (int)answer_int(row, "port"), asked = (int)answer_int(row, "askedPort");

	if (asked)
		snprintf(ret, SHOW_PORT_SIZE, "%d%s%d", asked & UINT16_MAX,
			 render_either("→", "->"), port & UINT16_MAX);
	else
		snprintf(ret, SHOW_PORT_SIZE, "%d", port);
	return ret;
}

const char *show_url(struct json_object *service, char ret[static SHOW_URL_SIZE])
{
	bool tls = strncmp(answer_text(service, "url"), "https:", strlen("https:")) == 0;

	snprintf(ret, SHOW_URL_SIZE, "%s://localhost:%u", tls ? "https" : "http",
		 (unsigned)(uint16_t)answer_int(service, "port"));
	return ret;
}

const char *show_number(int64_t n, char ret[static SHOW_NUMBER_SIZE])
{
	char digits[24];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)n);
	char *end = ret;

	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0 && digits[i - 1] != '-')
			*end++ = ',';
		*end++ = digits[i];
	}
	*end = '\0';
	return ret;
}

/* Two digits that say something, whatever the size. */
const char *show_latency(int64_t us, char ret[static SHOW_NUMBER_SIZE])
{
	double ms = (double)us / 1000;

	if (us == 0)
		snprintf(ret, SHOW_NUMBER_SIZE, "0ms");
	else if (us < 10)
		snprintf(ret, SHOW_NUMBER_SIZE, "%lldus", (long long)us);
	else if (us < 1000)
		snprintf(ret, SHOW_NUMBER_SIZE, "%.2fms", ms);
	else if (us < 100 * 1000)
		snprintf(ret, SHOW_NUMBER_SIZE, "%.1fms", ms);
	else if (us < 10 * 1000 * 1000)
		snprintf(ret, SHOW_NUMBER_SIZE, "%.0fms", ms);
	else if (us < 60 * 1000 * 1000)
		snprintf(ret, SHOW_NUMBER_SIZE, "%.1fs", ms / 1000);
	else
		duration_format_long(us / 1000000, ret);
	return ret;
}

const char *show_bytes(int64_t n, char ret[static SHOW_NUMBER_SIZE])
{
	if (n < 1024 * 1024)
		snprintf(ret, SHOW_NUMBER_SIZE, "%lldKB", (long long)(n + 512) / 1024);
	else if (n < 1024LL * 1024 * 1024)
		snprintf(ret, SHOW_NUMBER_SIZE, "%.1fMB", (double)n / (1024 * 1024));
	else
		snprintf(ret, SHOW_NUMBER_SIZE, "%.1fGB", (double)n / (1024 * 1024 * 1024));
	return ret;
}

int show_width(struct json_object *list, const char *key, size_t least, size_t most)
{
	size_t width = least;

	for (size_t i = 0; i < answer_length(list); i++) {
		size_t n = strlen(answer_text(answer_at(list, i), key));

		if (n > width && n <= most)
			width = n;
	}
	return (int)width;
}
