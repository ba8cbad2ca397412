/* SPDX-License-Identifier: MIT */
#include <errno.h>

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

static int add_owner(struct api *api, struct json_object *o, const struct socket_row *row,
		     const struct service_list *claim, const struct service_now *now)
{
	bool own = row->netns == inventory_own_netns(api->config.inventory);
	int reason = services_orphan_reason(api, row);

	if (reason < 0)
		return reason;
	json_add_text(o, "service", own && claim->n ? claim->services[0].id : NULL);
	if (own && claim->n)
		json_add_text(o, "status", service_status_name(now->verdict.status));
	else
		json_add_text(o, "status", reason == ORPHAN_NOT ? NULL : "orphan");
	return 0;
}

static int add_socket(struct request *r, struct json_object *array, const struct socket_row *row,
		      const struct service_list *claim, const struct service_now *now)
{
	const struct inventory *inv = r->api->config.inventory;
	_cleanup_free_ struct holding *holdings = NULL;
	struct json_object *o, *holders;
	char comm[PROCESS_COMM_SIZE] = "";
	size_t n;
	int fault = view_holdings(&row, 1, false, &holdings, &n);

	if (fault)
		return fault;
	o = view_socket(inv, row);
	json_append(array, o);
	json_add(o, "pids", view_pids(holdings, n));
	if (n)
		view_process_name(inv, &holdings[0].holder->id, comm);
	json_add_text(o, "process", comm);
	holders = json_add_array(o, "holders");
	for (size_t i = 0; i < n; i++)
		json_append(holders, view_holder(inv, &holdings[i], r->uid));
	json_add_bool(o, "complete", row->complete);
	return add_owner(r->api, o, row, claim, now);
}

static int add_rows(struct request *r, uint16_t port, bool all, struct json_object *array,
		    const struct service_list *claim, const struct service_now *now)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int fault = view_rows_of_port(r->api->config.inventory, 0, port, &rows, &n);

	for (size_t i = 0; !fault && i < n; i++)
		if (all || socket_serves(rows[i]))
			fault = add_socket(r, array, rows[i], claim, now);
	return fault;
}

/* Every socket of a port, with the claim on it; `all`: also those that are merely bound. */
static int add_port(struct request *r, uint16_t port, bool all, struct json_object *array)
{
	struct service_list claim = { 0 };
	struct service_now now = { 0 };
	int fault = registry_service_by_port(r->api->config.registry, port, service_list_add,
					     &claim);

	if (fault == OUTCOME_NO)
		fault = 0;
	if (!fault && claim.no_memory)
		fault = -ENOMEM;
	if (!fault && claim.n)
		fault = service_judge(r->api, &claim.services[0], r->now, &now);
	if (!fault)
		fault = add_rows(r, port, all, array, &claim, &now);
	free(now.holdings);
	service_list_free(&claim);
	return fault;
}

int sockets_get(struct request *r)
{
	struct port_list list = { 0 };
	struct json_object *array;
	uint16_t port;
	int fault = request_param_port(r, "port", &port);

	if (fault)
		return fault;
	array = json_add_array(r->answer, "sockets");
	if (port)
		return add_port(r, port, true, array);
	inventory_for_each(r->api->config.inventory, collect_port, &list);
	if (list.no_memory)
		fault = -ENOMEM;
	for (size_t i = 0; !fault && i < list.n; i++)
		fault = add_port(r, list.ports[i], false, array);
	free(list.ports);
	return fault;
}
