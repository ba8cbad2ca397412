/* SPDX-License-Identifier: MIT */
/* The end of a claim, whoever brings it about: a request, a cleanup, the end of its time. */
#ifndef TRACKER_RELEASE_H
#define TRACKER_RELEASE_H

#include "registry/registry.h"

struct activity_writer;

/* Who ends it; comm may have any bytes. */
struct release_actor {
	pid_t pid;
	uid_t uid;
	const char *comm;
};

/* May the user end this claim?  Its own user may, and root. */
static inline bool release_is_allowed(uid_t uid, const struct service *s)
{
	return uid == 0 || uid == s->uid;
}

/*
 * Removes the claim in the batch, which is opened where there is none, and writes "Port 3000
 * released" down, with `why` behind it (NULL = nothing).  To have the port judged anew is the
 * caller's.  0, OUTCOME_NO when the claim is gone already, negative errno.
 */
int release_claim(struct activity_writer *w, const char *id, uint16_t port, const char *why,
		  const struct release_actor *actor, int64_t now);

#endif
