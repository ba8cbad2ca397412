/* SPDX-License-Identifier: MIT */
/* The end of a claim, as releases and cleanups bring it about. */
#ifndef API_RELEASE_H
#define API_RELEASE_H

#include "http/request.h"
#include "registry/registry.h"

#define RELEASE_COMM_SIZE (4 * PROCESS_COMM_SIZE)

/* The name of the program that asks; "" where it is not visible from here. */
void release_caller_name(const struct request *r, char ret[RELEASE_COMM_SIZE]);

/* May the caller end this claim?  Its user may, and root. */
bool release_is_allowed(const struct request *r, const struct service *s);

/*
 * Removes the claim in this turn's batch, writes "Port 3000 released" down with `why` behind it
 * (NULL = nothing), and has the port judged anew.  0, OUTCOME_NO when it is gone already, negative
 * errno.
 */
int release_service(struct request *r, const struct service *s, const char *comm, const char *why);

#endif
