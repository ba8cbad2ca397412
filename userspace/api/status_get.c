/* SPDX-License-Identifier: MIT */
/* GET /v1/status: pd status. */
#include "api/routes.h"
#include "api/state.h"
#include "http/commit.h"
#include "http/request.h"
#include "view/status.h"

ROUTE(status_get, GET, "/v1/status", struct route_no_params);

static int handle(struct request *r)
{
	const struct api_config *config = &r->api->config;
	const struct status_of of = {
		.registry = config->registry,
		.inventory = config->inventory,
		.sentinel = config->sentinel,
		.locks = r->api->locks,
		.protection = r->api->protection,
		.sandbox = &config->sandbox,
		.metrics = server_metrics(r->api->server),
		.database_path = config->database_path,
		.socket_path = server_socket_path(r->api->server),
		.started_at = config->started_at,
		.booted_at = config->booted_at,
		.now = r->now,
	};

	status_add(&of, r->answer);
	/* what takes longer is looked at behind this answer */
	if (!registry_is_synced(config->registry))
		commit_schedule_soon(server_commits(r->server));
	return 0;
}
