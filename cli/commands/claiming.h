/* SPDX-License-Identifier: MIT */
/* The claim that a command is run under. */
#ifndef CLI_COMMANDS_CLAIMING_H
#define CLI_COMMANDS_CLAIMING_H

struct command;
struct command_line;
struct config;
struct json_object;
struct own_run;

/*
 * Claims one service as pd claim does: the one of that id; without one (NULL) the only service of
 * the nearest .portdaddyrc, or one that is named after the current directory.  0 and the daemon's
 * answer in *ret (the caller's), and in *ret_run what a run of it begins with: service and port,
 * borrowed from the answer, the project, and the hard-coded ports that the file names.  Else the
 * error was said, and the exit code is returned.
 */
int claiming_claim(const struct command *self, const struct command_line *line, const char *id,
		   struct json_object **ret, struct own_run *ret_run);

/* --- all services of a file, all of them or none --- */

/*
 * Two names that differ only in what a variable cannot hold would overwrite each other.  0, or the
 * exit code of what was said.
 */
int claiming_check_variables(const struct command *self, const struct command_line *line,
			     const struct config *config);
/* Adds them to the body of a request. */
void claiming_add_services(struct json_object *body, const struct config *config);
/* Does the answer have them, in the order of the file?  0, or the exit code of what was said. */
int claiming_check_services(const struct command_line *line, struct json_object *answer,
			    const struct config *config);
/* Claims them as pd claim without a name does, from that directory; their notices are in the
 * answer. As claiming_claim(). */
int claiming_claim_all(const struct command *self, const struct command_line *line,
		       const struct config *config, const char *directory,
		       struct json_object **ret);

#endif
