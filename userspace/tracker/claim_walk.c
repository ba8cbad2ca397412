/* SPDX-License-Identifier: MIT */
#include "tracker/claim_walk.h"

#include <errno.h>
#include <stdio.h>

static bool add_to_chunk(const struct service *service, void *chunk)
{
	return service_list_add(service, chunk) &&
	       ((struct service_list *)chunk)->n < CLAIM_WALK_CHUNK;
}

static int recheck(struct inventory *inv, const struct service_list *chunk)
{
	uint16_t ports[CLAIM_WALK_CHUNK];

	for (size_t i = 0; i < chunk->n; i++)
		ports[i] = chunk->services[i].port;
	return inventory_recheck_ports(inv, inventory_own_netns(inv), ports, chunk->n);
}

static int read_chunk(struct claim_walk *walk)
{
	struct service_list *chunk = &walk->chunk;
	int r;

	claim_walk_deinit(walk);
	r = registry_for_each_service(walk->registry, &walk->filter, add_to_chunk, chunk);
	if (!r && chunk->no_memory)
		r = -ENOMEM;
	if (!r && chunk->n > 1)
		r = recheck(walk->inventory, chunk);
	if (r)
		return r;
	walk->is_last_chunk = chunk->n < CLAIM_WALK_CHUNK;
	if (chunk->n)
		snprintf(walk->last, sizeof(walk->last), "%s", chunk->services[chunk->n - 1].id);
	walk->filter.after = walk->last;
	return 0;
}

int claim_walk_next(struct claim_walk *walk, const struct service **ret)
{
	int r = 0;

	if (walk->at == walk->chunk.n && !walk->is_last_chunk)
		r = read_chunk(walk);
	*ret = !r && walk->at < walk->chunk.n ? &walk->chunk.services[walk->at++] : NULL;
	return r;
}

void claim_walk_deinit(struct claim_walk *walk)
{
	service_list_free(&walk->chunk);
	walk->chunk = (struct service_list){ 0 };
	walk->at = 0;
}
