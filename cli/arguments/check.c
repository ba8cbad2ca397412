/* SPDX-License-Identifier: MIT */
#include "cli/arguments/check.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/identity.h"
#include "base/moment.h"
#include "base/net.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/render.h"

int check_port(const struct command *self, const struct command_line *line, const char *text,
	       uint16_t *ret_port)
{
	if (net_port_parse(text, ret_port) == 0)
		return 0;
	return render_usage_error(line->json, self->name,
				  "'%.100s' is no port: a number from 1 to 65535, for example 3000",
				  text);
}

int check_identity(const struct command *self, const struct command_line *line, const char *id)
{
	const char *why;

	if (identity_check(id, &why) == 0)
		return 0;
	return render_usage_error(line->json, self->name,
				  "'%.100s' is no service: %s; for example myapp:web", id, why);
}

int check_pattern(const struct command *self, const struct command_line *line, const char *text)
{
	const char *why;

	if (*text && !pattern_has_wildcard(text))
		return check_identity(self, line, text);
	if (pattern_check(text, &why) == 0)
		return 0;
	return render_usage_error(line->json, self->name,
				  "'%.100s' is no pattern: %s; for example 'myapp:*'", text, why);
}

int check_match(const struct command *self, const struct command_line *line, const char *text)
{
	uint16_t port;

	if (text[0] == ':')
		return check_port(self, line, text + 1, &port);
	return check_pattern(self, line, text);
}

/* `at`: how far the text could be read; at its end, something is missing rather than wrong. */
static int refuse_text(const struct command *self, const struct command_line *line,
		       const char *option, const char *text, size_t at, const char *what,
		       const char *examples)
{
	if (!text[at])
		return render_usage_error(line->json, self->name,
					  "--%s '%.100s' is only the beginning of a %s; for "
					  "example %s",
					  option, text, what, examples);
	return render_usage_error(
		line->json, self->name,
		"--%s '%.100s' is no %s from character %zu on ('%.100s'); for example %s", option,
		text, what, at + 1, text + at, examples);
}

int check_duration(const struct command *self, const struct command_line *line, const char *option,
		   const char *text, int64_t *ret_s)
{
	size_t at;

	if (duration_parse(text, ret_s, &at) == 0)
		return 0;
	return refuse_text(self, line, option, text, at, "duration", "45s, 30m, 2h30m, 1d");
}

int check_fine_duration(const struct command *self, const struct command_line *line,
			const char *option, const char *text, int64_t *ret_us)
{
	size_t at;

	if (duration_parse_us(text, ret_us, &at) == 0)
		return 0;
	return render_usage_error(
		line->json, self->name,
		"--%s '%.100s' is no duration from character %zu on ('%.100s'); for "
		"example 5ms, 250us, 1s500ms, 2m",
		option, text, at + 1, text + at);
}

int check_moment(const struct command *self, const struct command_line *line, const char *option,
		 const char *text, int64_t now, int64_t *ret_unix)
{
	size_t at;

	if (moment_parse(text, now, ret_unix, &at) == 0)
		return 0;
	return refuse_text(self, line, option, text, at, "moment",
			   "'2024-02-28 2:00am', 14:00, 'yesterday 9pm'");
}

int check_count(const struct command *self, const struct command_line *line, const char *option,
		const char *text, long max, long *ret)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (text[0] >= '1' && text[0] <= '9' && !*end && !errno && n <= max) {
		*ret = n;
		return 0;
	}
	return render_usage_error(line->json, self->name, "%s '%.100s' is no number from 1 to %ld",
				  option, text, max);
}

int check_config(const struct command *self, const struct command_line *line, const char *directory,
		 struct config **ret)
{
	char error[PATH_MAX + 512];
	int found = config_find(directory, ret, error, sizeof(error));

	if (found < 0)
		return render_usage_error(line->json, self->name, "%s", error);
	if (!found)
		*ret = NULL;
	for (size_t i = 0; found && i < (*ret)->n_warnings; i++)
		render_note("%s", (*ret)->warnings[i]);
	return 0;
}
