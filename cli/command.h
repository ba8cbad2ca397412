/* SPDX-License-Identifier: MIT */
/*
 * A command of pd is one file with one row: its name, its arguments, its options, its help.  The
 * dispatcher, `pd help`, the man page and the completions all read that row.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>

#define COMMAND_OPTIONS_MAX 16
#define COMMAND_REPEATS_MAX 32 /* values of options that may come again; more are refused */

struct command_option {
	const char *name; /* long name without dashes, "port" */
	char letter;	  /* 'p', or 0 */
	/* "PORT" when it takes a value, "[=DUR]" when it may have a duration; else NULL */
	const char *value;
	const char *help;
	bool repeats; /* may be given again, each value counts; else the last one does */
};

struct command;

/* What was given on the command line; all borrowed from argv. */
struct command_line {
	const struct command *const *table; /* that it was read by; ends with NULL */
	const struct command *command;	    /* that it names; NULL = none */
	bool json, quiet;
	int n_args;
	int n_before;		 /* of the operands in front of a "--"; -1 = there is none */
	const char *const *args; /* operands; ends with NULL, as exec() wants it */
	const char *values[COMMAND_OPTIONS_MAX]; /* by index into options; "" for a given flag */
	struct {
		const struct command_option *option;
		const char *value;
	} repeats[COMMAND_REPEATS_MAX]; /* every value of options that may come again */
	int n_repeats;
};

struct command {
	const char *name;
	const char *arguments;	/* "[ID] [-p PORT] …" as the usage line shows it */
	const char *summary;	/* one line */
	const char *details;	/* more help; may be NULL */
	const char *examples;	/* lines ending in \n */
	int min_args, max_args; /* max -1 = any */
	/* one's own daemon hands nothing over to the system service before this command */
	bool leaves_daemons;
	struct command_option options[COMMAND_OPTIONS_MAX]; /* ends at a NULL name */
	/* Runs it; returns pd's exit code. */
	int (*run)(const struct command_line *line);
};

/* The value of an option by its long name; NULL when it was not given. */
const char *command_value(const struct command_line *line, const char *name);

/* The n-th value (from 0) of an option that may come again; NULL behind the last. */
const char *command_value_at(const struct command_line *line, const char *name, int n);

/* Every command, in the order in which help lists them; cmd_NAME is a row of commands/NAME.c. */
#define COMMANDS(X)                                                                               \
	X(claim), X(release), X(cleanup), X(find), X(open), X(why), X(status), X(health), X(log), \
		X(watch), X(run), X(up), X(down), X(logs), X(ps), X(stop), X(wait), X(history),   \
		X(session), X(sessions), X(note), X(notes), X(metrics), X(lock), X(unlock),       \
		X(locks), X(with_lock), X(daemon), X(completion), X(version), X(doctor), X(hook), \
		X(help)
#define COMMAND_ROW(name) cmd_##name
extern const struct command COMMANDS(COMMAND_ROW);

/* Their rows; ends with NULL. */
extern const struct command *const commands[];

#endif
