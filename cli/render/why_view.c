/* SPDX-License-Identifier: MIT */
#include "cli/render/why_view.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define FACT_LABEL_WIDTH   11
#define COMMAND_WIDTH_MAX  40 /* a longer command has its explanation on the next line */
#define FAILURES_SHOWN_MAX 3
#define LINE_SIZE	   1024
#define PIPE_COLUMNS	   80 /* what goes on into a message or a file fits there */
#define HEADING_WIDTH	   10

/* Text from a column on; what does not fit goes on in the next line at the same column. */
static void wrap(enum render_tone tone, int column, const char *text)
{
	render_wrapped(tone, column, column, PIPE_COLUMNS, text);
}

/* "  label      text"; nothing when there is no text. */
static void fact(const char *label, const char *text)
{
	if (!*text)
		return;
	render_text(TONE_DIM, "    %-*s", FACT_LABEL_WIDTH, label);
	wrap(TONE_PLAIN, 4 + FACT_LABEL_WIDTH, text);
}

/* Appends, cut to what fits.  Returns the new length. */
static size_t append(char *line, size_t used, const char *text)
{
	int n = snprintf(line + used, LINE_SIZE - used, "%s", text);

	used += (size_t)n;
	return used < LINE_SIZE ? used : LINE_SIZE - 1;
}

/* What an interpreter runs says more than its own name. */
static const char *name_of(struct json_object *process)
{
	const char *runs = answer_text(process, "runs");

	return *runs ? runs : answer_text(process, "comm");
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
		used = append(ret, used, name_of(answer_at(list, i)));
		if (answer_int(answer_at(list, i), "endedAt"))
			used = append(ret, used, " (ended)");
	}
	return ret;
}

static const char *orphaned_by(struct json_object *holder, char *ret)
{
	const char *launcher = answer_text(holder, "leftBehindBy");

	ret[0] = '\0';
	if (*launcher)
		snprintf(ret, LINE_SIZE, "left behind by %s", launcher);
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

static bool is_worth_saying(const char *state)
{
	static const char *const dull[] = { "", "running", "sleeping", "idle" };

	return !text_is_one_of(state, dull, ARRAY_SIZE(dull));
}

static void show_holder(struct json_object *holder)
{
	const char *cmdline = answer_text(holder, "cmdline");
	const char *state = answer_text(holder, "state");
	char line[LINE_SIZE], age[SHOW_AGE_SIZE];
	int column;

	column = snprintf(line, sizeof(line), "  pid %lld  ", (long long)answer_int(holder, "pid"));
	render_text(TONE_WARN, "%s", line);
	wrap(TONE_PLAIN, column, *cmdline ? cmdline : answer_text(holder, "comm"));
	fact("user", answer_text(holder, "user"));
	fact("held by", answer_text(holder, "via"));
	fact("directory", answer_text(holder, "cwd"));
	fact("worktree", answer_text(holder, "worktree"));
	fact("terminal", answer_text(holder, "terminal"));
	fact("program", *cmdline ? "" : answer_text(holder, "exe"));
	if (is_worth_saying(state))
		fact("state", state);
	fact("unit", answer_text(holder, "unit"));
	fact("container", answer_text(holder, "container"));
	fact("started", show_ago(answer_int(holder, "startTime"), age));
	fact("started by", ancestry_of(holder, line));
	fact("orphaned", orphaned_by(holder, line));
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
		render_text(TONE_PLAIN, "  ");
		wrap(TONE_WARN, 2,
		     "Others may hold it too: not every reference to the socket could be looked "
		     "at.");
	}
}

static void heading(const char *label, const char *text)
{
	if (!*text)
		return;
	render_text(TONE_DIM, "%-*s", HEADING_WIDTH, label);
	wrap(TONE_PLAIN, HEADING_WIDTH, text);
}

/* The service is an id, or an object that has one. */
static const char *service_of(struct json_object *why)
{
	const char *id = answer_text(why, "service");

	return *id ? id : answer_text(answer_member(why, "service"), "id");
}

static void show_remedies(struct json_object *remedies)
{
	int width = show_width(remedies, "command", 0, COMMAND_WIDTH_MAX);

	for (size_t i = 0; i < answer_length(remedies); i++) {
		const char *command = answer_text(answer_at(remedies, i), "command");
		const char *text = answer_text(answer_at(remedies, i), "text");

		render_text(TONE_PLAIN, "  ");
		if (!*command) {
			wrap(TONE_PLAIN, 2, text);
			continue;
		}
		render_text(TONE_GOOD, "%-*s", width, command);
		if (strlen(command) > COMMAND_WIDTH_MAX) {
			render_newline();
			render_text(TONE_PLAIN, "%6s", "");
			wrap(TONE_DIM, 6, text);
		} else {
			render_text(TONE_PLAIN, "  ");
			wrap(TONE_DIM, 4 + width, text);
		}
	}
}

/* Refused calls on this port: whether somebody really met what is explained here. */
static void show_failures(struct json_object *failures)
{
	size_t n = answer_length(failures);

	if (n == 0)
		return;
	render_newline();
	render_line(TONE_PLAIN, "Refused lately:");
	for (size_t i = 0; i < n && i < FAILURES_SHOWN_MAX; i++) {
		struct json_object *failure = answer_at(failures, i);
		char age[SHOW_AGE_SIZE];

		char line[LINE_SIZE];

		render_text(TONE_DIM, "  %-9s ", show_ago(answer_int(failure, "at"), age));
		snprintf(line, sizeof(line), "%s (pid %d)  %s", answer_text(failure, "comm"),
			 (int)answer_int(failure, "pid"), answer_text(failure, "details"));
		wrap(TONE_PLAIN, 12, line);
	}
}

/* Of a refusal that was recorded: "node (pid 4711) asked for [::]:3000, 12s ago". */
static void show_asked(struct json_object *asked)
{
	const char *addr = answer_text(asked, "addr");
	bool v6 = strchr(addr, ':') != NULL;
	char line[LINE_SIZE], age[SHOW_AGE_SIZE];

	if (!answer_int(asked, "pid"))
		return;
	snprintf(line, sizeof(line), "%s (pid %d) asked %s %s%s%s:%d, %s",
		 answer_text(asked, "comm"), (int)answer_int(asked, "pid"),
		 strcmp(answer_text(asked, "call"), "listen") == 0 ? "to listen on" : "for",
		 v6 ? "[" : "", addr, v6 ? "]" : "", (int)answer_int(asked, "port"),
		 show_ago(answer_int(asked, "at"), age));
	wrap(TONE_DIM, 0, line);
}

static void show_warning(const char *label, const char *text)
{
	char line[LINE_SIZE];

	if (!*text)
		return;
	render_newline();
	snprintf(line, sizeof(line), "%s: %s.", label, text);
	wrap(TONE_WARN, 0, line);
}

/* Who has the port by the number that stands in its source, or has that for the number. */
static void show_hardcoded(struct json_object *list, int64_t asked_about)
{
	char line[LINE_SIZE], port[SHOW_PORT_SIZE], more[32];

	for (size_t i = 0; i < answer_length(list); i++) {
		struct json_object *run = answer_at(list, i);
		int real = (int)answer_int(run, "port");

		snprintf(more, sizeof(more), "; pd why %d", real);
		snprintf(line, sizeof(line),
			 "%s of %.200s (%s): its program has %d in its source, and port %d for "
			 "it%s.",
			 show_port(run, port), answer_text(run, "service"), answer_text(run, "run"),
			 (int)answer_int(run, "askedPort"), real, real != asked_about ? more : "");
		wrap(TONE_PLAIN, 0, line);
	}
	if (answer_length(list))
		wrap(TONE_PLAIN, 0,
		     "That is so for TCP, not for UDP, not in another network namespace, and not "
		     "for a socket that somebody else has bound.");
}

void why_view(struct json_object *why)
{
	bool free = answer_bool(why, "free");
	struct json_object *remedies = answer_member(why, "remedies");

	wrap(free ? TONE_GOOD : TONE_BAD, 0, answer_text(why, "summary"));
	show_asked(answer_member(why, "asked"));
	show_hardcoded(answer_member(why, "hardcoded"), answer_int(why, "port"));
	show_holders(why);
	show_warning("Warning", answer_text(why, "warning"));
	show_warning("Missing", answer_text(answer_member(why, "missing"), "text"));
	if (*service_of(why) || *answer_text(why, "rule") || *answer_text(why, "errno"))
		render_newline();
	heading("Service", service_of(why));
	heading("Rule", answer_text(why, "rule"));
	heading("Error", answer_text(why, "errno"));
	show_failures(answer_member(why, "failures"));
	if (answer_length(remedies) == 0)
		return;
	render_newline();
	render_line(TONE_PLAIN, "What to do:");
	show_remedies(remedies);
}
