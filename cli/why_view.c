/* SPDX-License-Identifier: MIT */
#include "cli/why_view.h"

#include <stdio.h>
#include <string.h>

#include "cli/answer.h"
#include "cli/render.h"
#include "cli/show.h"

#define FACT_LABEL_WIDTH   11
#define COMMAND_WIDTH_MAX  40 /* a longer command has its explanation on the next line */
#define FAILURES_SHOWN_MAX 3
#define LINE_SIZE	   1024

/* "  label      text"; nothing when there is no text. */
static void fact(const char *label, const char *text)
{
	if (!*text)
		return;
	render_text(TONE_DIM, "    %-*s", FACT_LABEL_WIDTH, label);
	render_text(TONE_PLAIN, "%s", text);
	render_newline();
}

/* Appends, cut to what fits.  Returns the new length. */
static size_t append(char *line, size_t used, const char *text)
{
	int n = snprintf(line + used, LINE_SIZE - used, "%s", text);

	used += (size_t)n;
	return used < LINE_SIZE ? used : LINE_SIZE - 1;
}

/* "bash ‹ tmux ‹ systemd": who started it, and who started that. */
static const char *ancestry_of(struct json_object *holder, char *ret)
{
	struct json_object *list = answer_member(holder, "ancestry");
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < answer_length(list); i++) {
		if (i)
			used = append(ret, used, render_either(" ‹ ", " < "));
		used = append(ret, used, answer_text(answer_at(list, i), "comm"));
	}
	return ret;
}

static const char *descriptors_of(struct json_object *holder, char *ret)
{
	struct json_object *list = answer_member(holder, "fds");
	size_t used = 0, n = answer_length(list);
	char number[32];

	ret[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%s%lld", i ? ", " : "",
			 (long long)answer_item_int(list, i));
		used = append(ret, used, number);
	}
	return ret;
}

static void show_holder(struct json_object *holder)
{
	const char *cmdline = answer_text(holder, "cmdline");
	const char *state = answer_text(holder, "state");
	char line[LINE_SIZE], age[SHOW_AGE_SIZE];

	render_text(TONE_WARN, "  pid %lld", (long long)answer_int(holder, "pid"));
	render_text(TONE_PLAIN, "  %s", *cmdline ? cmdline : answer_text(holder, "comm"));
	render_newline();
	fact("user", answer_text(holder, "user"));
	fact("directory", answer_text(holder, "cwd"));
	fact("program", *cmdline ? "" : answer_text(holder, "exe"));
	if (strcmp(state, "stopped") == 0 || strcmp(state, "traced") == 0)
		fact("state", state);
	fact("unit", answer_text(holder, "unit"));
	fact("container", answer_text(holder, "container"));
	fact("started", show_ago(answer_int(holder, "startTime"), age));
	fact("started by", ancestry_of(holder, line));
	fact("since", show_ago(answer_int(holder, "since"), age));
	fact("descriptor", descriptors_of(holder, line));
}

static void show_holders(struct json_object *why)
{
	struct json_object *holders = answer_member(why, "holders");
	size_t n = answer_length(holders);

	for (size_t i = 0; i < n; i++) {
		render_newline();
		show_holder(answer_at(holders, i));
	}
	if (n > 0 && answer_has(why, "complete") && !answer_bool(why, "complete")) {
		render_newline();
		render_text(TONE_WARN,
			    "  Others may hold it too: not every reference to the socket "
			    "could be looked at.");
		render_newline();
	}
}

static void heading(const char *label, const char *text)
{
	if (!*text)
		return;
	render_text(TONE_DIM, "%-10s", label);
	render_text(TONE_PLAIN, "%s", text);
	render_newline();
}

/* The service is an id, or an object that has one. */
static const char *service_of(struct json_object *why)
{
	const char *id = answer_text(why, "service");

	return *id ? id : answer_text(answer_member(why, "service"), "id");
}

static void show_remedies(struct json_object *remedies)
{
	int width = 0;

	for (size_t i = 0; i < answer_length(remedies); i++) {
		int n = (int)strlen(answer_text(answer_at(remedies, i), "command"));

		if (n > width && n <= COMMAND_WIDTH_MAX)
			width = n;
	}
	for (size_t i = 0; i < answer_length(remedies); i++) {
		const char *command = answer_text(answer_at(remedies, i), "command");
		const char *text = answer_text(answer_at(remedies, i), "text");

		if (*command) {
			render_text(TONE_GOOD, "  %-*s", width, command);
			render_text(TONE_DIM, "  %s", text);
		} else {
			render_text(TONE_PLAIN, "  %s", text);
		}
		render_newline();
	}
}

/* Refused calls on this port: whether somebody really met what is explained here. */
static void show_failures(struct json_object *failures)
{
	size_t n = answer_length(failures);

	if (n == 0)
		return;
	render_newline();
	render_text(TONE_PLAIN, "Refused lately:");
	render_newline();
	for (size_t i = 0; i < n && i < FAILURES_SHOWN_MAX; i++) {
		struct json_object *failure = answer_at(failures, i);
		char age[SHOW_AGE_SIZE];

		render_text(TONE_DIM, "  %-9s", show_ago(answer_int(failure, "at"), age));
		render_text(TONE_PLAIN, " %s (pid %d)  %s", answer_text(failure, "comm"),
			    (int)answer_int(failure, "pid"), answer_text(failure, "details"));
		render_newline();
	}
}

void why_view(struct json_object *why)
{
	bool free = answer_bool(why, "free");
	struct json_object *remedies = answer_member(why, "remedies");

	render_text(free ? TONE_GOOD : TONE_BAD, "%s", answer_text(why, "summary"));
	render_newline();
	show_holders(why);
	if (*service_of(why) || *answer_text(why, "rule") || *answer_text(why, "errno"))
		render_newline();
	heading("Service", service_of(why));
	heading("Rule", answer_text(why, "rule"));
	heading("Error", answer_text(why, "errno"));
	show_failures(answer_member(why, "failures"));
	if (answer_length(remedies) == 0)
		return;
	render_newline();
	render_text(TONE_PLAIN, "What to do:");
	render_newline();
	show_remedies(remedies);
}
