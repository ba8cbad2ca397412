/* SPDX-License-Identifier: MIT */
/*
 * Where a service answers health checks, as people write it: "/health" is asked for over HTTP,
 * "https:/health" over HTTPS; a whole URL, "https://localhost/health", means the same.  The port is
 * always the service's own, and the host this machine.  Pure.
 */
#ifndef BASE_HEALTH_PATH_H
#define BASE_HEALTH_PATH_H

#include <stdbool.h>

#define HEALTH_PATH_MAX_BYTES 1024 /* as it is stored; far above any that people write */

struct health_path {
	bool https;
	const char *path; /* begins with '/'; points into the text that was read */
};

/*
 * 0, or -EINVAL with the fault in *ret_why (static storage; may be NULL), a clause that goes on
 * after "… cannot be used: ".
 */
int health_path_parse(const char *text, struct health_path *ret, const char **ret_why);

/*
 * "/health" or "https:/health", as it is stored; it reads again as the same.
 * Returns ret.
 */
#define HEALTH_PATH_SIZE (HEALTH_PATH_MAX_BYTES + 1)
char *health_path_format(const struct health_path *path, char ret[static HEALTH_PATH_SIZE]);

#endif
