/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <time.h>

#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define COLUMN_GAP	 3
#define CONTINUED_INDENT 4
#define OTHERS_SIZE	 128
#define LINE_SIZE	 1024
#define NAME_WIDTH_MAX	 40 /* a longer name pushes its own line only */

/* By the name alone; an older daemon knows one lock of a name and does not say. */
static bool is_own(struct json_object *lock)
{
	return !answer_has(lock, "own") || answer_bool(lock, "own");
}

/* " (2 waiting) [machine]": who else has to do with it. */
static const char *others_of(struct json_object *lock, char ret[static OTHERS_SIZE])
{
	size_t waiting = answer_length(answer_member(lock, "waiters")), used = 0;

	ret[0] = '\0';
	if (waiting)
		used = (size_t)snprintf(ret, OTHERS_SIZE, " (%zu waiting)", waiting);
	if (answer_bool(lock, "machine"))
		snprintf(ret + used, OTHERS_SIZE - used, " [machine]");
	else if (!is_own(lock))
		snprintf(ret + used, OTHERS_SIZE - used, " [user %.64s]",
			 answer_text(lock, "owner"));
	return ret;
}

static void show_lock(struct json_object *lock, int width, int64_t now)
{
	bool held = answer_bool(lock, "held");
	char age[32], others[OTHERS_SIZE], line[LINE_SIZE];
	int column = render_head(0, width - 1, answer_text(lock, "name"));

	if (held)
		snprintf(line, sizeof(line), " Held for %s by %s%s",
			 duration_format_short(now - answer_int(lock, "acquiredAt"), age),
			 answer_text(lock, "holder"), others_of(lock, others));
	else
		snprintf(line, sizeof(line), " Available%s", others_of(lock, others));
	render_wrapped(held ? TONE_WARN : TONE_GOOD, column, CONTINUED_INDENT, 0, line);
}

static int run(const struct command_line *line)
{
	static const struct answer_rule rule = { "locks", "name", ANSWER_LOCK };
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int r = answer_get(line->json, "GET", "/v1/locks", NULL, &answer);
	struct json_object *locks = answer_member(answer, "locks");
	int64_t now = (int64_t)time(NULL);
	int width = show_width(locks, "name", 0, NAME_WIDTH_MAX) + COLUMN_GAP;

	if (!r && (line->quiet || line->json))
		r = answer_check(line->json, answer, &rule, 1);
	if (r)
		return r;
	if (line->json) {
		render_json(answer);
		return 0;
	}
	for (size_t i = 0; i < answer_length(locks); i++) {
		struct json_object *lock = answer_at(locks, i);

		if (!line->quiet)
			show_lock(lock, width, now);
		else if (answer_bool(lock, "held") &&
			 (is_own(lock) || answer_bool(lock, "machine")))
			printf("%s\n", answer_text(lock, "name"));
	}
	if (!answer_length(locks))
		render_note("no lock has been used yet");
	return 0;
}

const struct command cmd_locks = {
	.name = "locks",
	.arguments = "",
	.summary = "list the locks: who holds them, and which are available",
	.details =
		"A lock that was used before and is free stays listed as available for a day.  "
		"Your own "
		"come\n"
		"first, with those of the whole machine, [machine] (pd lock --machine); those of\n"
		"other users, [user NAME], keep nobody else from theirs.  -q prints the names of\n"
		"those that are held, without other users'.\n",
	.examples = "  pd locks\n"
		    "  pd locks -j | jq '.locks[] | select(.held)'\n",
	.run = run,
};
