/* SPDX-License-Identifier: MIT */
/* GET /v1/sockets: what serves on this machine, in every namespace, and whose it is: pd find --all.
 */

#include "api/routes.h"
#include "api/search.h"
#include "api/state.h"
#include "http/page.h"
#include "http/parts.h"
#include "registry/runs.h"
#include "tracker/socket_owner.h"
#include "tracker/socket_walk.h"
#include "view/socket.h"

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

static int write_socket(struct listing *l, const struct socket_row *row)
{
	struct request *r = l->r;
	struct socket_owner owner;
	struct json_object *o;
	struct view_listed s;
	int fault = socket_owner_find(&l->owners, &row, &owner);

	if (fault || !row)
		return fault;
	s = (struct view_listed){ l->walk.inv, row, &owner, asked_port(l, row), r->uid };
	if (l->asked->brief)
		return view_listed_briefly(&r->written, &s);
	fault = view_listed_in_full(&s, &o);
	return fault ? fault : written_list_add(r, o);
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
