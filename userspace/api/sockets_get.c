/* SPDX-License-Identifier: MIT */
/* GET /v1/sockets: what serves on this machine, in every namespace, and whose it is: pd find --all.
 */
#include <errno.h>
#include <string.h>

#include "api/routes.h"
#include "api/state.h"
#include "api/view.h"
#include "http/page.h"
#include "registry/service_list.h"
#include "tracker/judge.h"
#include "tracker/socket_walk.h"

struct question {
	uint16_t port; /* 0 = of all ports */
	bool brief;    /* without who holds them in full: to describe them takes longest */
	struct page page;
};

static int handle(struct request *r);

const struct route sockets_get = {
	.method = ROUTE_GET,
	.path = "/v1/sockets",
	.handle = handle,
	.params = {
		PARAM_PORT("port", struct question, port),
		PARAM_NO("details", struct question, brief),
		PARAM_PAGE(struct question, page, PAGE_MAX_ROWS),
	},
	.params_size = sizeof(struct question),
};

/* The claim on the port whose sockets are being listed, judged; none: an empty list. */
struct port_claim {
	uint16_t port; /* 0 = none was looked for yet */
	struct service_list list;
	struct judgement now;
};

struct listing {
	struct request *r;
	struct question *asked;
	struct socket_walk walk;
	struct port_claim claim;
};

static void claim_deinit(struct port_claim *claim)
{
	free(claim->now.holdings);
	service_list_free(&claim->list);
	*claim = (struct port_claim){ 0 };
}

/* The claim on the port of a row; *row becomes NULL when it is gone after the claim was judged. */
static int look_up_claim(struct listing *l, const struct socket_row **row)
{
	struct api *api = l->r->api;
	struct port_claim *claim = &l->claim;
	uint64_t cookie = (*row)->cookie;
	int fault;

	if (claim->port == (*row)->port)
		return 0;
	claim_deinit(claim);
	claim->port = (*row)->port;
	fault = registry_service_by_port(api->config.registry, claim->port, service_list_add,
					 &claim->list);
	if (fault == OUTCOME_NO)
		return 0;
	if (!fault && claim->list.no_memory)
		fault = -ENOMEM;
	if (!fault)
		fault = judge_claim(api->config.inventory, &claim->list.services[0], l->r->now,
				    JUDGE_VERIFIED, &claim->now);
	*row = inventory_by_cookie(api->config.inventory, cookie);
	return fault;
}

/* The service that a socket belongs to, and its status: names, NULL = none. */
struct owner {
	const char *service, *status;
};

static int find_owner(const struct listing *l, const struct socket_row *row, struct owner *ret)
{
	bool own = row->netns == inventory_own_netns(l->walk.inv);
	int reason;

	if (own && l->claim.list.n) {
		const struct service *claim = &l->claim.list.services[0];

		ret->service = claim->id;
		ret->status = service_status_name(
			socket_serves(row)
				? judge_socket_of_claim(l->r->api->config.inventory, claim, row)
				: l->claim.now.verdict.status);
		return 0;
	}
	reason = judge_unclaimed(l->walk.inv, l->r->api->config.registry, row);
	if (reason < 0)
		return reason;
	*ret = (struct owner){ NULL, reason == ORPHAN_NOT ? NULL : "orphan" };
	return 0;
}

static int write_briefly(const struct listing *l, const struct socket_row *row,
			 const struct owner *owner)
{
	struct request *r = l->r;
	char addr[NET_ADDR_STR_SIZE];

	written_object_begin(r);
	written_text(r, "proto", net_protocol_name(row->protocol));
	written_text(r, "addr", net_addr_format(row->family, &row->addr, addr));
	written_int(r, "port", row->port);
	written_text(r, "state", socket_state_name(row->state));
	written_int(r, "netns", row->netns);
	written_bool(r, "ownNetns", row->netns == inventory_own_netns(l->walk.inv));
	written_text(r, "user", user_name(row->uid));
	written_known(r, "since", row->since);
	view_write_holders(r, row);
	written_text(r, "service", owner->service);
	written_text(r, "status", owner->status);
	return written_object_end(r);
}

static int add_holder(const struct listing *l, struct json_object *holders,
		      const struct holding *holding)
{
	_cleanup_(why_holder_deinit) struct why_holder h;
	int fault = why_holder_read(l->walk.inv, holding, l->r->uid, &h);

	if (!fault)
		json_append(holders, view_holder(&h, l->r->uid));
	return fault;
}

static int write_in_full(const struct listing *l, const struct socket_row *row,
			 const struct owner *owner)
{
	const struct inventory *inv = l->walk.inv;
	_cleanup_free_ struct holding *holdings = NULL;
	struct json_object *o, *holders;
	char comm[PROCESS_COMM_SIZE] = "";
	size_t n;
	int fault = inventory_holdings(&row, 1, false, &holdings, &n);

	if (fault)
		return fault;
	o = view_socket(inv, row);
	json_add(o, "pids", view_pids(holdings, n));
	if (n)
		inventory_process_name(inv, &holdings[0].holder->id, comm);
	json_add_text(o, "process", comm);
	holders = json_add_array(o, "holders");
	for (size_t i = 0; !fault && i < n; i++)
		fault = add_holder(l, holders, &holdings[i]);
	if (fault) {
		json_object_put(o);
		return fault;
	}
	json_add_bool(o, "complete", row->complete);
	json_add_text(o, "service", owner->service);
	json_add_text(o, "status", owner->status);
	return written_list_add(l->r, o);
}

static int write_socket(struct listing *l, const struct socket_row *row)
{
	struct owner owner;
	int fault = look_up_claim(l, &row);

	if (!fault && row)
		fault = find_owner(l, row, &owner);
	if (fault || !row)
		return fault;
	return l->asked->brief ? write_briefly(l, row, &owner) : write_in_full(l, row, &owner);
}

/* The sockets behind the place of the walk.  1 when some are left for the next page. */
static int add_sockets(struct listing *l)
{
	for (;;) {
		struct inventory_place before = l->walk.place;
		const struct socket_row *row;
		int fault = socket_walk_next(&l->walk, &row);

		if (fault || !row)
			return fault;
		if (page_is_full(l->r, &l->asked->page)) {
			l->walk.place = before;
			return 1;
		}
		fault = write_socket(l, row);
		if (fault)
			return fault;
	}
}

static int handle(struct request *r)
{
	struct question *q = r->params;
	struct listing l = {
		.r = r,
		.asked = q,
		.walk = { .inv = r->api->config.inventory, .port = q->port, .idle_too = q->port },
	};
	char next[PAGE_SOCKET_SIZE];
	int fault = 0, more = 0;

	page_begin(&q->page, q->brief ? PAGE_BRIEF_ROWS : PAGE_MAX_ROWS);
	if (q->page.after)
		fault = page_after_socket(r, &q->page, &l.walk.place.port, &l.walk.place.cookie);
	if (!fault)
		fault = written_list_begin(r, "sockets");
	if (!fault)
		more = add_sockets(&l);
	claim_deinit(&l.claim);
	if (!fault)
		fault = more < 0 ? more : written_list_end(r);
	page_socket(l.walk.place.port, l.walk.place.cookie, next);
	return fault ? fault : page_end(r, more ? next : NULL);
}
