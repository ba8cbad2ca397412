/* SPDX-License-Identifier: MIT */
/*
 * The command line, read by the rows of the command table.  Options may stand anywhere, `--` ends
 * them, abbreviations of long names are refused (a script that relies on one breaks on the day a
 * second option shares the prefix).  Pure: no output, no allocation.
 */
#ifndef CLI_ARGUMENTS_OPTIONS_H
#define CLI_ARGUMENTS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/command.h"

/* The options that every command knows; ends at a NULL name. */
extern const struct command_option options_global[];

struct options {
	struct command_line line; /* args point into the argv that was handed in */
	const char *color;	  /* of --color; NULL when it was not given */
	bool help, version;
};

/*
 * Reads argv[1…] and reorders it: the operands move to its front, where ret->line.args finds them.
 * 0, or -EINVAL with one sentence in ret_error (cut to size); ret->line.command is then the command
 * whose options were being read, NULL when the fault came before it.
 */
int options_parse(int argc, char **argv, const struct command *const *table, struct options *ret,
		  char *ret_error, size_t size);

/* The command that was meant by a name that none has; NULL where none is near. */
const char *options_nearest_command(const struct command *const *table, const char *given);

/* True when -j or --json stands before any `--`: how a faulty command line wants its error. */
bool options_want_json(int argc, char *const *argv);

#endif
