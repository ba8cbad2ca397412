/* SPDX-License-Identifier: MIT */
/* The claim that a command is run under. */
#ifndef CLI_COMMANDS_CLAIMING_H
#define CLI_COMMANDS_CLAIMING_H

#include <limits.h>
#include <stdbool.h>

#include "base/identity.h"

struct command_line;
struct config;
struct config_start;
struct json_object;
struct own_run;

/* One service that is to be claimed, and what its file says of it. */
struct claiming {
	struct config *config; /* its own; NULL = there is no file */
	char cwd[PATH_MAX];    /* "" = it was deleted */
	char id[IDENTITY_MAX + 1];
	const char *range, *health;	  /* "" or NULL = none */
	const struct config_start *start; /* NULL = no file has it */
	bool protect;
};

/*
 * Which one pd claim would claim: the one of that id; without one (NULL) the only service of the
 * nearest .portdaddyrc, or one that is named after the current directory.  *c begins as { 0 } and
 * is the caller's to end.  0, or the exit code of what was said.
 */
int claiming_find(const struct command_line *line, const char *id, struct claiming *c);
/*
 * Claims it.  0 and the daemon's answer in *ret (the caller's), and in *ret_run what a run of it
 * begins with: service and port, borrowed from the answer, the project, and the hard-coded ports
 * that the file names.  Else as claiming_find().
 */
int claiming_claim(const struct command_line *line, const struct claiming *c,
		   struct json_object **ret, struct own_run *ret_run);
void claiming_deinit(struct claiming *c);

/* The claim of one service, and an answer that has its port and ID.  As claiming_claim(). */
int claiming_post(bool json, struct json_object *body, struct json_object **ret);
/* What the daemon has to say beside the port. */
void claiming_tell_notices(struct json_object *service);
/* Says which service of the file (NULL = none) may have been meant, where what the answer has
 * claimed is new and none of them, and nearly is. */
void claiming_tell_near(const struct config *config, struct json_object *answer);

/* --- all services of a file, all of them or none --- */

/*
 * Two names that differ only in what a variable cannot hold would overwrite each other.  0, or the
 * exit code of what was said.
 */
int claiming_check_variables(const struct command_line *line, const struct config *config);
/* Adds them to the body of a request. */
void claiming_add_services(struct json_object *body, const struct config *config);
/* Does the answer have them, in the order of the file?  0, or the exit code of what was said. */
int claiming_check_services(const struct command_line *line, struct json_object *answer,
			    const struct config *config);
/* Claims them as pd claim without a name does, from that directory; their notices are in the
 * answer. As claiming_find(). */
int claiming_claim_all(const struct command_line *line, const struct config *config,
		       const char *directory, struct json_object **ret);

#endif
