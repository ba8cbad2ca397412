/* SPDX-License-Identifier: MIT */
/* GET /v1/metrics: what was counted, as JSON: pd metrics. */
#include "api/counters.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/procfs.h"
#include "http/metrics.h"
#include "http/request.h"

#define OVER_DEFAULT_US 100000 /* what a person notices */

struct question {
	int64_t over_us;
};

ROUTE(metrics_get, GET, "/v1/metrics", struct question,
      PARAM_NUMBER("over", struct question, over_us, .max = INT64_MAX, .otherwise = OVER_DEFAULT_US,
		   .advice = "is not a number of microseconds"));

static int add_requests(struct request *r)
{
	const struct metrics *c = server_metrics(r->api->server);
	struct json_object *o = r->answer;
	int64_t started_at = r->api->config.started_at;

	json_add_int(o, "startedAt", started_at);
	json_add_int(o, "uptime", r->now > started_at ? r->now - started_at : 0);
	json_add_int(o, "averageUs", metrics_average_us(c));
	counters_add(o, metrics_counters, c);
	return 0;
}

static int add_database(struct request *r)
{
	struct registry_counters c = registry_counters(r->api->config.registry);

	counters_add(json_add_object(r->answer, "database"), database_counters, &c);
	return 0;
}

static int add_memory(struct request *r)
{
	uint64_t bytes = 0;
	int fault = procfs_own_memory(&bytes);

	json_add_known(json_add_object(r->answer, "memory"), "bytes", (int64_t)bytes);
	return fault;
}

static void add_events(struct json_object *o, const uint64_t *events)
{
	struct json_object *kinds = json_add_object(o, "byKind");

	for (int kind = EVENT_PROCESS; kind < _EVENT_KIND_MAX; kind++)
		json_add_int(kinds, event_kind_name((enum event_kind)kind), (int64_t)events[kind]);
}

static int add_kernel(struct request *r)
{
	const struct api_config *config = &r->api->config;
	struct sentinel_counters c = sentinel_counters(config->sentinel);
	struct json_object *o = json_add_object(r->answer, "kernel");

	counters_add(o, kernel_counters, &c);
	json_add_int(o, "resyncs", (int64_t)inventory_resyncs(config->inventory));
	json_add_int(o, "sockets", (int64_t)inventory_count(config->inventory));
	add_events(o, r->api->events);
	counters_add_probes(r->api, o);
	return 0;
}

static int add_routes(struct request *r)
{
	int64_t over_us = ((const struct question *)r->params)->over_us;

	metrics_add_answers(server_metrics(r->api->server), r->answer);
	metrics_add_slowest(server_metrics(r->api->server), (uint64_t)over_us, r->answer);
	return 0;
}

static int handle(struct request *r)
{
	static int (*const parts[])(struct request *) = { add_requests, add_database, add_memory,
							  add_kernel, add_routes };
	int fault = 0;

	for (size_t i = 0; !fault && i < ARRAY_SIZE(parts); i++)
		fault = parts[i](r);
	return fault;
}
