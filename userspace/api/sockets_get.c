/* SPDX-License-Identifier: MIT */
/* GET /v1/sockets: what serves on this machine, in every namespace, and whose it is: pd find --all.
 */

#include "api/routes.h"
#include "api/search.h"
#include "api/state.h"
#include "base/cleanup.h"
#include "http/json.h"
#include "http/page.h"
#include "http/parts.h"
#include "tracker/found_socket.h"
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
	struct found_sockets found;
};

static int write_socket(struct listing *l, const struct socket_row *row)
{
	_cleanup_(found_socket_deinit) struct found_socket socket;
	struct request *r = l->r;
	int fault = found_socket_read(&l->found, row, &socket);

	if (fault)
		return fault == OUTCOME_NO ? 0 : fault;
	return l->asked->brief ? view_found_briefly(&r->written, &socket)
			       : written_list_add(r, view_found(&socket, r->uid));
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
		.found = { r->api->config.inventory, r->api->config.registry, r->now, r->uid,
			   request_user(r), q->brief },
		.walk = { .inv = r->api->config.inventory, .port = q->port, .idle_too = q->port },
	};
	char next[PAGE_SOCKET_SIZE];
	int fault = error, more = 0;

	page_begin(&q->page, q->brief ? PAGE_BRIEF_ROWS : PAGE_MAX_ROWS);
	if (!fault && q->page.after)
		fault = page_after_socket(r, &q->page, &l.walk.place.port, &l.walk.place.cookie);
	json_add_bool(r->answer, "behind", inventory_is_behind(r->api->config.inventory));
	fault = fault ?: written_list_begin(r, "sockets");
	if (!fault)
		more = add_sockets(&l);
	found_sockets_deinit(&l.found);
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
