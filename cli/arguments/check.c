/* SPDX-License-Identifier: MIT */
#include "cli/arguments/check.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/identity.h"
#include "base/moment.h"
#include "base/net.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/render.h"

int check_port(const struct command_line *line, const char *text, uint16_t *ret_port)
{
	if (net_port_parse(text, ret_port) == 0)
		return 0;
	return render_usage_error(
		line, "'%.100s' is no port: a number from 1 to 65535, for example 3000", text);
}

int check_identity(const struct command_line *line, const char *id)
{
	const char *why;

	if (identity_check(id, &why) == 0)
		return 0;
	return render_usage_error(line, "'%.100s' is no service: %s; for example myapp:web", id,
				  why);
}

int check_service(const struct command_line *line, const char *id)
{
	const char *why;

	if (identity_check_of_user(id, &why) == 0)
		return 0;
	return render_usage_error(line, "'%.100s' is no service: %s; for example myapp:web", id,
				  why);
}

int check_pattern(const struct command_line *line, const char *text)
{
	const char *why;

	if (*text && !pattern_has_wildcard(text))
		return check_service(line, text);
	if (pattern_check(text, &why) == 0)
		return 0;
	return render_usage_error(line, "'%.100s' is no pattern: %s; for example 'myapp:*'", text,
				  why);
}

int check_match(const struct command_line *line, const char *text)
{
	uint16_t port;

	if (text[0] == ':')
		return check_port(line, text + 1, &port);
	return check_pattern(line, text);
}

#define UNITS_OF_DURATIONS "w, d, h, m, s"
#define DURATION_EXAMPLES  "45s, 30m, 2h30m, 1d"
#define MOMENT_EXAMPLES	   "'2024-02-28 2:00am', 14:00, 'yesterday 9pm'"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a length of time has to have where reading it ended; `units`, the largest first. */
static int refuse_duration(const struct command_line *line, const char *option, const char *text,
			   size_t at, const char *units, const char *examples)
{
	bool behind_number = at > 0 && is_digit(text[at - 1]);

	if (text[strspn(text, "0")] && !text[strspn(text, "0123456789")])
		return render_usage_error(line,
					  "--%s '%.100s' is no duration without a unit of %s; for "
					  "example --%s %.100ss, in seconds",
					  option, text, units, option, text);
	if (!text[at])
		return render_usage_error(line,
					  "--%s '%.100s' is only the beginning of a duration: %s%s "
					  "is missing; for example %s",
					  option, text, behind_number ? "a unit of " : "a number",
					  behind_number ? units : "", examples);
	if (behind_number)
		return render_usage_error(
			line,
			"--%s '%.100s' is no duration: at character %zu there has to be one of the "
			"units %s, the largest first, not '%.100s'; for example %s",
			option, text, at + 1, units, text + at, examples);
	return render_usage_error(
		line,
		"--%s '%.100s' is no duration: at character %zu there has to be a number of at "
		"least 1 (100 years at most), not '%.100s'; for example %s",
		option, text, at + 1, text + at, examples);
}

int check_duration(const struct command_line *line, const char *option, const char *text,
		   int64_t *ret_s)
{
	int64_t us;
	size_t at;

	if (duration_parse(text, ret_s, &at) == 0)
		return 0;
	if (duration_parse_us(text, &us, NULL) == 0)
		return render_usage_error(line,
					  "--%s '%.100s' is no duration in whole seconds, and none "
					  "finer is counted here; for example %s",
					  option, text, DURATION_EXAMPLES);
	return refuse_duration(line, option, text, at, UNITS_OF_DURATIONS, DURATION_EXAMPLES);
}

int check_fine_duration(const struct command_line *line, const char *option, const char *text,
			int64_t *ret_us)
{
	size_t at;

	if (duration_parse_us(text, ret_us, &at) == 0)
		return 0;
	return refuse_duration(line, option, text, at, UNITS_OF_DURATIONS ", ms, us",
			       "5ms, 250us, 1s500ms, 2m");
}

/* "2h" and "30" rather than "14:00" and "9pm". */
static bool is_like_duration(const char *text)
{
	return is_digit(*text) && !text[strspn(text, "0123456789wdhms")];
}

int check_moment(const struct command_line *line, const char *option, const char *text, int64_t now,
		 int64_t *ret_unix)
{
	char goes_on_at[32];
	int64_t at_unix, age_s;
	size_t at;
	int r;

	if (is_like_duration(text)) {
		r = check_duration(line, option, text, &age_s);
		if (!r)
			*ret_unix = now - age_s;
		return r;
	}
	r = moment_parse(text, now, &at_unix, &at);
	if (r == MOMENT_SKIPPED)
		return render_usage_error(
			line,
			"--%s '%.100s' is a time that clocks here never showed: they were put "
			"forward over it; for example '%s', when they went on, or a moment with "
			"its offset, as 2024-02-28T02:30:00+01:00",
			option, text, moment_format_log(at_unix, now, goes_on_at));
	if (r == 0) {
		*ret_unix = at_unix;
		return 0;
	}
	if (!text[at])
		return render_usage_error(
			line, "--%s '%.100s' is only the beginning of a moment; for example %s",
			option, text, MOMENT_EXAMPLES);
	return render_usage_error(line,
				  "--%s '%.100s' is no moment: it cannot be read from character "
				  "%zu on ('%.100s'); for example %s, or 2h for two hours ago",
				  option, text, at + 1, text + at, MOMENT_EXAMPLES);
}

int check_count(const struct command_line *line, const char *option, const char *text, long max,
		long *ret)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (text[0] >= '1' && text[0] <= '9' && !*end && !errno && n <= max) {
		*ret = n;
		return 0;
	}
	return render_usage_error(line, "%s '%.100s' is no number from 1 to %ld", option, text,
				  max);
}

int check_config(const struct command_line *line, const char *directory, struct config **ret)
{
	char error[PATH_MAX + 512];
	int found = config_find(directory, ret, error, sizeof(error));

	if (found < 0)
		return render_usage_error(line, "%s", error);
	if (!found)
		*ret = NULL;
	for (size_t i = 0; found && i < (*ret)->n_warnings; i++)
		render_note("%s", (*ret)->warnings[i]);
	return 0;
}
