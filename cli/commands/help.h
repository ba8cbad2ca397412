/* SPDX-License-Identifier: MIT */
/* Help text, made from the rows of the command table. */
#ifndef CLI_COMMANDS_HELP_H
#define CLI_COMMANDS_HELP_H

#include <stdio.h>

struct command;

/* Usage, summary, details, options and examples of one command, on stdout. */
void help_command(const struct command *command);
/* What pd is, and all commands of the table, which ends with NULL. */
void help_all(FILE *to, const struct command *const *table);

#endif
