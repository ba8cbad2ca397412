/* SPDX-License-Identifier: MIT */
/*
 * `.portdaddyrc`: the services of a project.  JSON with comments and trailing commas:
 *
 *   { "project": "shop", "services": { "api": { "healthPath": "/health" }, "web": {} } }
 *
 * A service is PROJECT:NAME, in a linked git worktree PROJECT:NAME:BRANCH; without "project" the
 * name of the file's directory stands for it.  Members that are not named here are other commands'.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/health_path.h"
#include "base/identity.h"

#define CONFIG_NAME	    ".portdaddyrc"
#define CONFIG_MAX_BYTES    (1024 * 1024) /* a file that people write by hand */
#define CONFIG_SERVICES_MAX 256		  /* far above any project; a range has 6900 ports */

struct config_service {
	char id[IDENTITY_MAX + 1];
	char name[IDENTITY_PART_MAX + 1];
	char health[HEALTH_PATH_SIZE]; /* "" = none */
};

struct config {
	char *path;			 /* of the file */
	struct config_service *services; /* in the order of the file */
	size_t n;
};

/*
 * Looks for the file in an absolute directory and above it.  1 and *ret; 0 when there is none; or
 * a negative errno with one sentence, which names the file and the place, in ret_error.
 */
int config_find(const char *directory, struct config **ret, char *ret_error, size_t size);
void config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free);

#endif
