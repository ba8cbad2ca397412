/* SPDX-License-Identifier: MIT */
#include "tracker/found_socket.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "registry/runs.h"

void found_sockets_deinit(struct found_sockets *s)
{
	free(s->judgement.holdings);
	service_list_free(&s->list);
	s->judgement = (struct judgement){ 0 };
	s->list = (struct service_list){ 0 };
	s->port = 0;
}

/* --- whose it is --- */

/* The row is fetched again: to judge a claim may change the table. */
static int look_up_claim(struct found_sockets *s, const struct socket_row **row)
{
	uint64_t cookie = (*row)->cookie;
	int r;

	if (s->port == (*row)->port)
		return 0;
	found_sockets_deinit(s);
	s->port = (*row)->port;
	r = registry_service_by_port(s->registry, s->port, service_list_add, &s->list);
	if (r == OUTCOME_NO)
		return 0;
	if (!r && s->list.no_memory)
		r = -ENOMEM;
	if (!r)
		r = judge_claim(s->inventory, &s->list.services[0], s->now, JUDGE_VERIFIED,
				&s->judgement);
	*row = inventory_by_cookie(s->inventory, cookie);
	return r;
}

static int find_owner(struct found_sockets *s, struct found_socket *ret)
{
	int r;

	if (s->list.n && ret->row->netns == ret->own_netns) {
		const struct service *claim = &s->list.services[0];

		ret->service = registry_shown_id(s->registry, claim->id, claim->uid, s->user,
						 s->shown);
		ret->status = socket_serves(ret->row)
				      ? judge_socket_of_claim(s->inventory, claim, ret->row)
				      : judge_status_name(&s->judgement.verdict);
		return 0;
	}
	r = judge_unclaimed(s->inventory, s->registry, ret->row);
	if (r > ORPHAN_NOT)
		ret->status = "orphan";
	return r < 0 ? r : 0;
}

/* --- who holds it --- */

static uint16_t asked_port(const struct found_sockets *s, const struct found_socket *socket)
{
	const struct socket_row *row = socket->row;

	if (!row->n_holders || row->netns != socket->own_netns || !registry_runs(s->registry))
		return 0;
	return registry_asked_port(s->registry, inventory_run_of(s->inventory, &row->holders[0].id),
				   row->protocol, row->port);
}

static int read_holders(const struct found_sockets *s, struct found_socket *ret)
{
	_cleanup_free_ struct holding *holdings = NULL;
	size_t n = 0;
	int r = inventory_holdings(&ret->row, 1, false, &holdings, &n);

	if (r || !n)
		return r;
	ret->holders = calloc(n, sizeof(*ret->holders));
	if (!ret->holders)
		return -ENOMEM;
	while (!r && ret->n_holders < n) {
		struct why_holder *h = &ret->holders[ret->n_holders];

		r = why_holder_read(s->inventory, &holdings[ret->n_holders++], s->viewer, h);
	}
	return r;
}

int found_socket_read(struct found_sockets *s, const struct socket_row *row,
		      struct found_socket *ret)
{
	int r;

	*ret = (struct found_socket){ .own_netns = inventory_own_netns(s->inventory) };
	r = look_up_claim(s, &row);
	if (r || !row)
		return r ? r : OUTCOME_NO;
	ret->row = row;
	r = find_owner(s, ret);
	if (r)
		return r;
	ret->asked_port = asked_port(s, ret);
	if (row->n_holders)
		inventory_process_name(s->inventory, &row->holders[0].id, ret->process);
	return s->brief ? 0 : read_holders(s, ret);
}

void found_socket_deinit(struct found_socket *socket)
{
	for (size_t i = 0; i < socket->n_holders; i++)
		why_holder_deinit(&socket->holders[i]);
	free(socket->holders);
}
