/* SPDX-License-Identifier: MIT */
#include "tracker/socket_owner.h"

#include <errno.h>
#include <stdlib.h>

#include "base/outcome.h"

void socket_owners_deinit(struct socket_owners *o)
{
	free(o->judgement.holdings);
	service_list_free(&o->list);
	o->judgement = (struct judgement){ 0 };
	o->list = (struct service_list){ 0 };
	o->port = 0;
}

static int look_up_claim(struct socket_owners *o, const struct socket_row **row)
{
	uint64_t cookie = (*row)->cookie;
	int r;

	if (o->port == (*row)->port)
		return 0;
	socket_owners_deinit(o);
	o->port = (*row)->port;
	r = registry_service_by_port(o->registry, o->port, service_list_add, &o->list);
	if (r == OUTCOME_NO)
		return 0;
	if (!r && o->list.no_memory)
		r = -ENOMEM;
	if (!r)
		r = judge_claim(o->inventory, &o->list.services[0], o->now, JUDGE_VERIFIED,
				&o->judgement);
	*row = inventory_by_cookie(o->inventory, cookie);
	return r;
}

int socket_owner_find(struct socket_owners *o, const struct socket_row **row,
		      struct socket_owner *ret)
{
	int r = look_up_claim(o, row);

	if (r || !*row)
		return r;
	if (o->list.n && (*row)->netns == inventory_own_netns(o->inventory)) {
		const struct service *claim = &o->list.services[0];

		ret->service = registry_shown_id(o->registry, claim->id, claim->uid, o->viewer,
						 o->shown);
		ret->status = socket_serves(*row) ? judge_socket_of_claim(o->inventory, claim, *row)
						  : judge_status_name(&o->judgement.verdict);
		return 0;
	}
	r = judge_unclaimed(o->inventory, o->registry, *row);
	if (r < 0)
		return r;
	*ret = (struct socket_owner){ NULL, r == ORPHAN_NOT ? NULL : "orphan" };
	return 0;
}
