/* SPDX-License-Identifier: MIT */
/* The claim that a command is run under. */
#ifndef CLI_COMMANDS_CLAIMING_H
#define CLI_COMMANDS_CLAIMING_H

struct command;
struct command_line;
struct json_object;

/*
 * Claims one service as pd claim does: the one of that id; without one (NULL) the only service of
 * the nearest .portdaddyrc, or one that is named after the current directory.  0 and the daemon's
 * answer in *ret (the caller's); else the error was said, and the exit code is returned.
 */
int claiming_claim(const struct command *self, const struct command_line *line, const char *id,
		   struct json_object **ret);

#endif
