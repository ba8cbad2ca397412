/* SPDX-License-Identifier: MIT */
/* GET /metrics: what was counted, for Prometheus. */
#include <errno.h>
#include <stdio.h>

#include "api/routes.h"
#include "api/state.h"
#include "http/request.h"
#include "view/counters.h"

ROUTE(metrics_text_get, GET, "/metrics", struct route_no_params);

static int handle(struct request *r)
{
	const struct api_config *config = &r->api->config;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	int fault;

	if (!to)
		return -errno;
	fault = counted_write(to, &(struct counted){ config->registry, config->inventory,
						     config->sentinel, r->api->events,
						     config->started_at });
	metrics_write(to, server_metrics(r->api->server));
	if (fclose(to))
		return -ENOMEM;
	if (fault)
		return fault;
	r->text = TAKE_PTR(text);
	r->content_type = COUNTERS_CONTENT_TYPE;
	return 0;
}
