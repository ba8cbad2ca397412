/* SPDX-License-Identifier: MIT */
/*
 * A daemon of another build than this pd: after an upgrade the one that runs stays until somebody
 * restarts it.  What it does not know is left out and said, and nothing fails over it.
 */
#ifndef CLI_CLIENT_OTHER_BUILD_H
#define CLI_CLIENT_OTHER_BUILD_H

#include <stdbool.h>

#include "base/build.h"
#include "base/own_pd.h"

struct json_object;

/* The build of the daemon that gave this answer to /v1/status. */
void other_build_read(struct json_object *status, struct build *ret);

/*
 * A daemon from before pd told its build refuses a request for a name in it: `message` is its
 * sentence.  True when path (its query) or body (JSON, may be NULL) had that name and are without
 * it now, copied to *ret_path and *ret_body (owned by the caller).
 */
bool other_build_drop(const char *message, const char *path, const char *body, char **ret_path,
		      char **ret_body);

/* One line on stderr, once: what the daemon does not know (a name), and how it is replaced. */
void other_build_say_ignored(const struct build *daemon, const char *name);

/* "the daemon (0.1.0) is older than this pd: `pd daemon restart` replaces it"; by_root: with sudo,
 * as where it listens with eBPF, which another of an ordinary user's could not. */
#define OTHER_BUILD_WORDS_SIZE (OWN_PD_SIZE + 320)
const char *other_build_words(const struct build *daemon, bool by_root,
			      char ret[OTHER_BUILD_WORDS_SIZE]);

#endif
