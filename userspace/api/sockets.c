/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "api/page.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/services.h"
#include "api/view.h"
#include "reconcile/status.h"

/* GET /v1/sockets: what serves on this machine, in every namespace, and whose it is. */

struct listing {
	struct request *r;
	struct page page;
	bool details; /* who holds them, in full: to describe them takes longest */
	/* behind this socket the page begins, with this one it ends so far; port 0 = none */
	uint16_t after_port, last_port;
	uint64_t after_cookie, last_cookie;
};

/* The claim on a port, judged; none: an empty list. */
struct port_claim {
	struct service_list list;
	struct service_now now;
};

static int add_owner(const struct listing *l, struct json_object *o, const struct socket_row *row,
		     const struct port_claim *claim)
{
	bool own = row->netns == inventory_own_netns(l->r->api->config.inventory);
	int reason;

	if (own && claim->list.n) {
		json_add_text(o, "service", claim->list.services[0].id);
		json_add_text(o, "status", service_status_name(claim->now.verdict.status));
		return 0;
	}
	reason = services_unclaimed_reason(l->r->api, row);
	if (reason < 0)
		return reason;
	json_add_text(o, "service", NULL);
	json_add_text(o, "status", reason == ORPHAN_NOT ? NULL : "orphan");
	return 0;
}

static int add_details(const struct listing *l, struct json_object *o, const struct socket_row *row,
		       const struct holding *holdings, size_t n)
{
	const struct inventory *inv = l->r->api->config.inventory;
	struct json_object *holders = json_add_array(o, "holders");

	for (size_t i = 0; i < n; i++) {
		_cleanup_(why_holder_deinit) struct why_holder h;
		int fault = why_holder_read(inv, &holdings[i], l->r->uid, &h);

		if (fault)
			return fault;
		json_append(holders, view_holder(&h, l->r->uid));
	}
	json_add_bool(o, "complete", row->complete);
	return 0;
}

static int add_socket(const struct listing *l, const struct socket_row *row,
		      const struct port_claim *claim)
{
	const struct inventory *inv = l->r->api->config.inventory;
	_cleanup_free_ struct holding *holdings = NULL;
	struct json_object *o;
	char comm[PROCESS_COMM_SIZE] = "";
	size_t n;
	int fault = inventory_holdings(&row, 1, false, &holdings, &n);

	if (fault)
		return fault;
	o = l->details ? view_socket(inv, row) : view_socket_briefly(inv, row);
	json_add(o, "pids", view_pids(holdings, n));
	if (n)
		inventory_process_name(inv, &holdings[0].holder->id, comm);
	json_add_text(o, "process", comm);
	if (l->details)
		fault = add_details(l, o, row, holdings, n);
	if (!fault)
		fault = add_owner(l, o, row, claim);
	if (!fault)
		return written_list_add(l->r, o);
	json_object_put(o);
	return fault;
}

static bool is_behind(const struct listing *l, const struct socket_row *row)
{
	return row->port > l->after_port ||
	       (row->port == l->after_port && row->cookie > l->after_cookie);
}

/* 1 = the page is full, and there is more. */
static int add_rows(struct listing *l, uint16_t port, bool all, const struct port_claim *claim)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int fault = inventory_verified_rows(l->r->api->config.inventory, 0, port, &rows, &n);

	for (size_t i = 0; !fault && i < n; i++) {
		if (!is_behind(l, rows[i]) || (!all && !socket_serves(rows[i])))
			continue;
		if (page_is_full(l->r, &l->page))
			return 1;
		fault = add_socket(l, rows[i], claim);
		l->last_port = port;
		l->last_cookie = rows[i]->cookie;
	}
	return fault;
}

/* Every socket of a port, with the claim on it; `all`: also those that are merely bound. */
static int add_port(struct listing *l, uint16_t port, bool all)
{
	struct api *api = l->r->api;
	struct port_claim claim = { 0 };
	int fault = registry_service_by_port(api->config.registry, port, service_list_add,
					     &claim.list);

	if (fault == OUTCOME_NO)
		fault = 0;
	if (!fault && claim.list.no_memory)
		fault = -ENOMEM;
	if (!fault && claim.list.n)
		fault = service_judge(api, &claim.list.services[0], l->r->now, &claim.now);
	if (!fault)
		fault = add_rows(l, port, all, &claim);
	free(claim.now.holdings);
	service_list_free(&claim.list);
	return fault;
}

/* The ports of this page's sockets, and one more, which tells that there is another page. */
struct port_list {
	const struct listing *listing;
	int64_t n_rows;
	size_t n;
	uint16_t ports[PAGE_MAX_ROWS + 1]; /* as they come: ascending */
};

static bool collect_port(const struct socket_row *row, void *user_data)
{
	struct port_list *list = user_data;

	if (!socket_serves(row) || !is_behind(list->listing, row))
		return true;
	if (!list->n || list->ports[list->n - 1] != row->port)
		list->ports[list->n++] = row->port;
	return ++list->n_rows <= list->listing->page.rows;
}

static bool is_of_page(const struct socket_row *row, void *user_data)
{
	const struct port_list *list = user_data;

	return list->n && row->port >= list->ports[0] && row->port <= list->ports[list->n - 1] &&
	       socket_serves(row);
}

static int add_page(struct listing *l)
{
	struct inventory *inv = l->r->api->config.inventory;
	struct port_list list = { .listing = l };
	int fault;

	inventory_for_each(inv, collect_port, &list);
	fault = inventory_call_roll(inv, is_of_page, &list);
	for (size_t i = 0; !fault && i < list.n; i++)
		fault = add_port(l, list.ports[i], false);
	return fault;
}

static int parse(struct request *r, struct listing *ret, uint16_t *ret_port)
{
	int fault = request_param_port(r, "port", ret_port);

	if (!fault)
		fault = request_param_details(r, &ret->details);
	if (!fault)
		fault = page_parse(r, PAGE_MAX_ROWS, &ret->page);
	if (!fault && ret->page.after)
		fault = page_after_socket(r, ret->page.after, &ret->after_port, &ret->after_cookie);
	return fault;
}

int sockets_get(struct request *r)
{
	struct listing l = { .r = r };
	char next[PAGE_SOCKET_SIZE];
	uint16_t port;
	bool more;
	int fault = parse(r, &l, &port);

	if (!fault)
		fault = written_list_begin(r, "sockets");
	if (fault)
		return fault;
	fault = port ? add_port(&l, port, true) : add_page(&l);
	more = fault > 0;
	if (fault >= 0)
		fault = written_list_end(r);
	page_socket(l.last_port, l.last_cookie, next);
	return fault ? fault : page_end(r, more ? next : NULL);
}
