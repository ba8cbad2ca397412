/* SPDX-License-Identifier: MIT */
#include "cli/commands/session_args.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/session.h"
#include "base/text.h"
#include "cli/client/body.h"
#include "cli/command.h"
#include "cli/project/project.h"
#include "cli/render/render.h"

int session_args_read(const struct command_line *line, const char *named, struct session_args *ret)
{
	const char *environment = getenv(SESSION_ENVIRONMENT);
	char directory[PATH_MAX];

	*ret = (struct session_args){ .session = named };
	if (environment && *environment)
		ret->environment = environment;
	if (!getcwd(directory, sizeof(directory)) || project_top(directory, ret->cwd) < 0)
		ret->cwd[0] = '\0';
	if (named && !session_ref_is_legal(named))
		return render_usage_error(line, "'%.100s' is no session; for example session-ab3",
					  named);
	if (!named && ret->environment && !session_ref_is_legal(ret->environment))
		return render_usage_error(
			line,
			"$" SESSION_ENVIRONMENT
			" is '%.100s', which is no session; for example session-ab3",
			ret->environment);
	return 0;
}

void session_args_add(const struct session_args *a, struct json_object *body)
{
	body_add_text(body, "session", a->session);
	body_add_text(body, "environment", a->environment);
	body_add_text(body, "cwd", a->cwd);
}

/* --- texts --- */

static int too_long(const struct command_line *line, const char *what, size_t max_bytes)
{
	return render_usage_error(line,
				  "the %s is longer than %zu bytes, which is the most that is kept",
				  what, max_bytes);
}

/* One byte more than may be, so that too much is noticed without reading all of it. */
static int read_stdin(const struct command_line *line, const char *what, size_t max_bytes,
		      char **ret)
{
	_cleanup_free_ char *text = malloc(max_bytes + 2);
	size_t n = text ? fread(text, 1, max_bytes + 2, stdin) : 0;

	if (!text || ferror(stdin))
		return render_usage_error(line, "cannot read the %s: %s", what, strerror(errno));
	if (n && text[n - 1] == '\n' && n <= max_bytes + 1)
		n--;
	if (n > max_bytes)
		return too_long(line, what, max_bytes);
	if (memchr(text, '\0', n))
		return render_usage_error(line, "the %s has a NUL byte", what);
	text[n] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

static int join(const struct command_line *line, int from, const char *what, size_t max_bytes,
		char **ret)
{
	size_t length = 0;
	char *end;

	for (int i = from; i < line->n_args; i++)
		length += strlen(line->args[i]) + 1;
	if (length && length - 1 > max_bytes)
		return too_long(line, what, max_bytes);
	*ret = calloc(1, length + 1);
	if (!*ret)
		return render_usage_error(line, "%s", strerror(ENOMEM));
	end = *ret;
	for (int i = from; i < line->n_args; i++)
		end += sprintf(end, "%s%s", i > from ? " " : "", line->args[i]);
	return 0;
}

int session_text_read(const struct command_line *line, int from, const char *what, size_t max_bytes,
		      char **ret)
{
	_cleanup_free_ char *text = NULL;
	bool from_stdin = line->n_args == from + 1 && strcmp(line->args[from], "-") == 0;
	int r = from_stdin ? read_stdin(line, what, max_bytes, &text)
			   : join(line, from, what, max_bytes, &text);

	if (r)
		return r;
	if (!text_is_utf8(text, strlen(text)))
		return render_usage_error(line, "the %s is no text: not UTF-8", what);
	*ret = TAKE_PTR(text);
	return 0;
}
