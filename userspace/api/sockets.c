/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "api/routes.h"
#include "api/server.h"
#include "api/services.h"
#include "api/view.h"
#include "reconcile/status.h"

/* GET /v1/sockets: what serves on this machine, in every namespace, and whose it is. */

struct port_list {
	size_t n, size;
	uint16_t *ports; /* as they come: ascending */
	bool no_memory;
};

static bool collect_port(const struct socket_row *row, void *user_data)
{
	struct port_list *list = user_data;

	if (!socket_serves(row) || (list->n && list->ports[list->n - 1] == row->port))
		return true;
	if (list->n == list->size) {
		size_t size = list->size ? 2 * list->size : 128;
		uint16_t *ports = reallocarray(list->ports, size, sizeof(*ports));

		if (!ports) {
			list->no_memory = true;
			return false;
		}
		list->ports = ports;
		list->size = size;
	}
	list->ports[list->n++] = row->port;
	return true;
}

struct listing {
	struct request *r;
	struct json_object *array;
	bool details; /* who holds them, in full: to describe them takes longest */
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

static void add_details(const struct listing *l, struct json_object *o,
			const struct socket_row *row, const struct holding *holdings, size_t n)
{
	const struct inventory *inv = l->r->api->config.inventory;
	struct json_object *holders = json_add_array(o, "holders");

	for (size_t i = 0; i < n; i++)
		json_append(holders, view_holder(inv, &holdings[i], l->r->uid));
	json_add_bool(o, "complete", row->complete);
}

static int add_socket(const struct listing *l, const struct socket_row *row,
		      const struct port_claim *claim)
{
	const struct inventory *inv = l->r->api->config.inventory;
	_cleanup_free_ struct holding *holdings = NULL;
	struct json_object *o;
	char comm[PROCESS_COMM_SIZE] = "";
	size_t n;
	int fault = view_holdings(&row, 1, false, &holdings, &n);

	if (fault)
		return fault;
	o = l->details ? view_socket(inv, row) : view_socket_briefly(inv, row);
	json_append(l->array, o);
	json_add(o, "pids", view_pids(holdings, n));
	if (n)
		view_process_name(inv, &holdings[0].holder->id, comm);
	json_add_text(o, "process", comm);
	if (l->details)
		add_details(l, o, row, holdings, n);
	return add_owner(l, o, row, claim);
}

static int add_rows(const struct listing *l, uint16_t port, bool all,
		    const struct port_claim *claim)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int fault = view_rows_of_port(l->r->api->config.inventory, 0, port, &rows, &n);

	for (size_t i = 0; !fault && i < n; i++)
		if (all || socket_serves(rows[i]))
			fault = add_socket(l, rows[i], claim);
	return fault;
}

/* Every socket of a port, with the claim on it; `all`: also those that are merely bound. */
static int add_port(const struct listing *l, uint16_t port, bool all)
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

static bool serves(const struct socket_row *row, void *user_data)
{
	return socket_serves(row);
}

static int add_all(const struct listing *l)
{
	struct inventory *inv = l->r->api->config.inventory;
	struct port_list list = { 0 };
	int fault = inventory_call_roll(inv, serves, NULL);

	if (fault)
		return fault;
	inventory_for_each(inv, collect_port, &list);
	if (list.no_memory)
		fault = -ENOMEM;
	for (size_t i = 0; !fault && i < list.n; i++)
		fault = add_port(l, list.ports[i], false);
	free(list.ports);
	return fault;
}

int sockets_get(struct request *r)
{
	struct listing l = { .r = r };
	uint16_t port;
	int fault = request_param_port(r, "port", &port);

	if (!fault)
		fault = request_param_details(r, &l.details);
	if (fault)
		return fault;
	l.array = json_add_array(r->answer, "sockets");
	return port ? add_port(&l, port, true) : add_all(&l);
}
