/* SPDX-License-Identifier: MIT */
/* What the commands about sessions have in common: which one is meant, and texts that people type.
 */
#ifndef CLI_COMMANDS_SESSION_ARGS_H
#define CLI_COMMANDS_SESSION_ARGS_H

#include <limits.h>
#include <stddef.h>

struct command_line;
struct json_object;

/* What the daemon needs to find the session; what it can see itself it is not told. */
struct session_args {
	const char *session;	 /* named on the command line; NULL = none */
	const char *environment; /* $PORT_DADDY_SESSION; NULL = none */
	char cwd[PATH_MAX];	 /* top of the worktree, or the directory; "" = it was deleted */
};

/* named: what the command line says, or NULL.  0, or pd's exit code, having said what is wrong. */
int session_args_read(const struct command_line *line, const char *named, struct session_args *ret);

/* Adds them to the body of a request. */
void session_args_add(const struct session_args *a, struct json_object *body);

/*
 * The operands from the given one on, joined by blanks, or standard input where it is "-" alone.
 * "" when there are none.  Owned by the caller: free().  0, or pd's exit code: too long, not UTF-8,
 * or with a NUL byte.  `what` names it: "note".
 */
int session_text_read(const struct command_line *line, int from, const char *what, size_t max_bytes,
		      char **ret);

#endif
