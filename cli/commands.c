/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <stddef.h>

#define ADDRESS(name) &COMMAND_ROW(name)

const struct command *const commands[] = { COMMANDS(ADDRESS), NULL };
