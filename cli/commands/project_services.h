/* SPDX-License-Identifier: MIT */
/* The services of a project that a command was given: pd up, pd down, pd logs. */
#ifndef CLI_COMMANDS_PROJECT_SERVICES_H
#define CLI_COMMANDS_PROJECT_SERVICES_H

#include <stdbool.h>

struct command_line;
struct config;

/*
 * The nearest .portdaddyrc, and which of its services the operands name: all without any.  0 and
 * both (the caller's: config_free(), free()); else the error was said, and the exit code is
 * returned.
 */
int project_services(const struct command_line *line, struct config **ret, bool **ret_wanted);

#endif
