/* SPDX-License-Identifier: MIT */
/*
 * `.portdaddyrc`: the services of a project.  JSON with comments and trailing commas:
 *
 *   {
 *     "project": "shop",
 *     "range": "4000-4999",    // where its ports come from
 *     "cleanupAge": "3d",      // of pd cleanup, for the project's own services
 *     "services": { "api": { "healthPath": "/health" }, "web": { "needs": ["api"] } }
 *   }
 *
 * A service is PROJECT:NAME, in a linked git worktree PROJECT:NAME:BRANCH; without "project" the
 * name of the file's directory stands for it.  A "port" of a service is not obeyed but warned of:
 * a file that is shared pins no port on machines that it does not know; `pd claim ID -p PORT` does
 * so on this one.  config_start.h has what is for starting services.
 */
#ifndef CLI_PROJECT_CONFIG_H
#define CLI_PROJECT_CONFIG_H

#include <limits.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/health_path.h"
#include "base/identity.h"
#include "cli/project/config_start.h"

#define CONFIG_NAME	    ".portdaddyrc"
#define CONFIG_SERVICES_MAX 256 /* far above any project; a range has 6900 ports */
#define CONFIG_AGE_SIZE	    32	/* of a duration's text */
#define CONFIG_RANGE_SIZE   16	/* of "10000-20000" */
#define CONFIG_WARNINGS_MAX 20	/* more are summed up in the last one */

struct config_service {
	char id[IDENTITY_MAX + 1];
	char name[IDENTITY_PART_MAX + 1];
	char health[HEALTH_PATH_SIZE]; /* "" = none */
	struct config_start start;
};

struct config {
	char *path; /* of the file */
	char project[IDENTITY_PART_MAX + 1];
	struct config_service *services;   /* in the order of the file */
	size_t n;			   /* may be 0 */
	char range[CONFIG_RANGE_SIZE];	   /* "" = the default */
	char cleanup_age[CONFIG_AGE_SIZE]; /* "" = the default */
	/* sentences with file and place, about what is not obeyed: unknown names, ports */
	char *warnings[CONFIG_WARNINGS_MAX];
	size_t n_warnings;
};

/*
 * Looks for the file in an absolute directory and above it, as trust.h says.  1 and *ret; 0 when
 * there is none; or a negative errno with one sentence, which names the file and the place, in
 * ret_error.
 */
int config_find(const char *directory, struct config **ret, char *ret_error, size_t size);
/*
 * The service of the file that an ID means: by its name, by PROJECT:NAME, or by all of it; NULL =
 * none of them.  Borrowed.
 */
const struct config_service *config_service_of(const struct config *c, const char *id);
/* The name of one, borrowed, that was likely meant by an ID which means none; NULL = none is near.
 */
const char *config_nearest(const struct config *c, const char *id);

/*
 * What a name that was typed means in the current directory: the ID of the service of its file,
 * else the name itself.  A file that cannot be read says nothing here.  Returns ret, or `name`.
 */
const char *config_meant_id(const char *name, char ret[static IDENTITY_MAX + 1]);

/* The same of what health is asked of, NULL = everything, with the health paths that the file has
 * now (of the one service, where it is one), as GET /v1/health takes them: "shop:api /health
 * shop:web /". *ret_left_out services had no room. */
#define CONFIG_PATHS_SIZE (1024 + 1)
const char *config_meant_health(const char *match, char ret[static IDENTITY_MAX + 1],
				char ret_paths[static CONFIG_PATHS_SIZE], size_t *ret_left_out);

/* Does an ID belong to the file's project, whether or not the file has a service of that name? */
bool config_is_of_project(const struct config *c, const char *id);

/* The directory that the file is in, without a slash behind it.  Returns ret. */
const char *config_directory(const struct config *c, char ret[static PATH_MAX]);

void config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free);

#endif
