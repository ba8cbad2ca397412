/* SPDX-License-Identifier: MIT */
/* What a request leaves in the open batch beside its rows: an entry, and claims to be judged anew.
 */
#ifndef API_RECORD_H
#define API_RECORD_H

#include "http/request.h"
#include "registry/registry.h"

/*
 * Writes down what the caller did: `service` is what it was done to ("" = nothing), `comm` the
 * caller's program.  0, negative errno.
 */
int record_activity(struct request *r, enum activity_action action, const char *service,
		    uint16_t port, const char *comm, const char *details);

/*
 * Notes a port whose claim changed, and has its status brought up to date: as
 * tracker_claim_changed() returns it.
 */
int record_claim(struct api *api, uint16_t port);

/* The batch was committed, or undone: then its claims are judged again, for they are as before. */
void record_end(struct api *api, bool undone);

#endif
