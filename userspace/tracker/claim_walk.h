/* SPDX-License-Identifier: MIT */
/*
 * Claims in order of id, so many copied at a time that what is looked up for each may use the
 * registry, and the holders of all of their ports asked in one call: what is judged next is alive.
 */
#ifndef TRACKER_CLAIM_WALK_H
#define TRACKER_CLAIM_WALK_H

#include "base/identity.h"
#include "inventory/inventory.h"
#include "registry/service_list.h"

#define CLAIM_WALK_CHUNK 500 /* claims; some 4 ms of the loop */

struct claim_walk {
	struct inventory *inventory;
	struct registry *registry;
	struct service_filter filter; /* its `after` is where the walk begins */

	struct service_list chunk;
	size_t at;
	bool is_last_chunk;
	char last[IDENTITY_MAX + 1]; /* of the chunk */
};

/* The next claim, borrowed until the next call; NULL behind the last one.  0, negative errno. */
int claim_walk_next(struct claim_walk *walk, const struct service **ret);
void claim_walk_deinit(struct claim_walk *walk);

#endif
