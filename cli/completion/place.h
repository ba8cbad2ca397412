/* SPDX-License-Identifier: MIT */
/*
 * What may stand at the end of a command line that is being typed, as the rows of the command
 * table say it: the words of `arguments` ("PORT|ID", "start|stop", "-- CMD [ARG]...") and the
 * values of the options.  Pure: who knows values for "ID" is values.h.
 */
#ifndef CLI_COMPLETION_PLACE_H
#define CLI_COMPLETION_PLACE_H

#include <stdbool.h>

#include "cli/command.h"

#define PLACE_KINDS_SIZE 256

struct place {
	const struct command *command; /* NULL: this word is the command, or an option before it */
	const char *prefix; /* typed so far of the word, or of the value behind its "=" */
	bool options;	    /* the word begins like one */
	char given[COMMAND_OPTIONS_MAX]; /* options that stand in the line already */
	/* what a value may be, "PORT|ID|start"; words in capitals are kinds of values, others
	 * stand for themselves; "" = nothing that is known */
	char kinds[PLACE_KINDS_SIZE];
	int program; /* the word is of a command line that begins at this word; 0 = it is ours */
};

/* n words behind "pd", the last of which, maybe empty, is being typed. */
void place_find(const struct command *const *table, const char *const *words, int n,
		struct place *ret);

#endif
