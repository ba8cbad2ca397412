/* SPDX-License-Identifier: MIT */
/*
 * Values for the words in capitals of the command table: names of services, ports in use, locks,
 * sessions, runs, as the daemon and the project's file have them now.  Where no daemon answers
 * there are none; none is started, and nothing is said.
 */
#ifndef CLI_COMPLETION_VALUES_H
#define CLI_COMPLETION_VALUES_H

#include "cli/command.h"

/* Takes a value and a few words about it, "" = none; both borrowed, fit for a terminal. */
typedef void (*values_each)(const char *value, const char *about, void *user_data);

/*
 * Calls each() for the values of `kinds` ("PORT|ID|start") that begin with `prefix`.  Only what a
 * shell takes as one word without quotes is told.
 */
void values_find(const struct command *const *table, const char *kinds, const char *prefix,
		 values_each each, void *user_data);

#endif
