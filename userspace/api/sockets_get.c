/* SPDX-License-Identifier: MIT */
/* GET /v1/sockets: what serves on this machine, in every namespace, and whose it is: pd find --all.
 */

#include "api/held.h"
#include "api/routes.h"
#include "api/search.h"
#include "api/state.h"
#include "http/page.h"
#include "http/parts.h"
#include "registry/runs.h"
#include "tracker/socket_owner.h"
#include "tracker/socket_walk.h"
#include "view/view.h"

struct question {
	uint16_t port; /* 0 = of all ports */
	bool brief;    /* without who holds them in full: to describe them takes longest */
	struct page page;
};

ROUTE(sockets_get, GET, "/v1/sockets", struct question, PARAM_PORT("port", struct question, port),
      PARAM_NO("details", struct question, brief),
      PARAM_PAGE(struct question, page, PAGE_MAX_ROWS));

struct listing {
	struct request *r;
	struct question *asked;
	struct socket_walk walk;
	struct socket_owners owners;
};

/* What stands in the source of its program, whose run has the port for that; 0 = nothing. */
static uint16_t asked_port(const struct listing *l, const struct socket_row *row)
{
	struct inventory *inv = l->walk.inv;

	if (!row->n_holders || row->netns != inventory_own_netns(inv) ||
	    !registry_runs(l->owners.registry))
		return 0;
	return registry_asked_port(l->owners.registry, inventory_run_of(inv, &row->holders[0].id),
				   row->protocol, row->port);
}

static int write_briefly(const struct listing *l, const struct socket_row *row,
			 const struct socket_owner *owner)
{
	struct request *r = l->r;
	char addr[NET_ADDR_STR_SIZE];

	written_object_begin(r);
	written_text(r, "proto", net_protocol_name(row->protocol));
	written_text(r, "addr", net_addr_format(row->family, &row->addr, addr));
	written_int(r, "port", row->port);
	if (asked_port(l, row))
		written_int(r, "askedPort", asked_port(l, row));
	written_text(r, "state", socket_state_name(row->state));
	written_int(r, "netns", row->netns);
	written_bool(r, "ownNetns", row->netns == inventory_own_netns(l->walk.inv));
	written_text(r, "user", user_name(row->uid));
	written_known(r, "since", row->since);
	held_write(r, row);
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
			 const struct socket_owner *owner)
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
	json_add_known(o, "askedPort", asked_port(l, row));
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
	struct socket_owner owner;
	int fault = socket_owner_find(&l->owners, &row, &owner);

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

static int answer(struct request *r, int error)
{
	struct question *q = r->params;
	struct listing l = {
		.r = r,
		.asked = q,
		.owners = { r->api->config.inventory, r->api->config.registry, r->now,
			    request_user(r) },
		.walk = { .inv = r->api->config.inventory, .port = q->port, .idle_too = q->port },
	};
	char next[PAGE_SOCKET_SIZE];
	int fault = error, more = 0;

	page_begin(&q->page, q->brief ? PAGE_BRIEF_ROWS : PAGE_MAX_ROWS);
	if (!fault && q->page.after)
		fault = page_after_socket(r, &q->page, &l.walk.place.port, &l.walk.place.cookie);
	if (!fault)
		fault = written_list_begin(r, "sockets");
	if (!fault)
		more = add_sockets(&l);
	socket_owners_deinit(&l.owners);
	if (!fault)
		fault = more < 0 ? more : written_list_end(r);
	page_socket(l.walk.place.port, l.walk.place.cookie, next);
	return fault ? fault : page_end(r, more ? next : NULL);
}

static int search(struct request *r, bool *ret_more)
{
	const struct question *q = r->params;

	return q->page.after ? 0 : search_port(r, q->port, ret_more);
}

static int handle(struct request *r)
{
	static const struct parts_calls calls = { search, answer };

	return parts_run(r, &calls);
}
