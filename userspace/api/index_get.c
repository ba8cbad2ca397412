/* SPDX-License-Identifier: MIT */
/* GET /v1/: what can be asked here, from the table of routes itself. */
#include "api/routes.h"
#include "api/state.h"
#include "http/metrics.h"

ROUTE(index_get, GET, "/v1/", struct route_no_params);

static int handle(struct request *r)
{
	const struct metrics *served = server_metrics(r->server);
	struct json_object *list = json_add_array(r->answer, "routes");

	/* behind the last one stands the row of what no route answers */
	for (size_t i = 0; i < served->n_rows && served->rows[i].route; i++)
		route_describe(served->rows[i].route, json_append_object(list));
	return 0;
}
