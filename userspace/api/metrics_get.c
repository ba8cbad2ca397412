/* SPDX-License-Identifier: MIT */
/* GET /v1/metrics: what was counted, as JSON: pd metrics. */
#include "api/routes.h"
#include "api/state.h"
#include "base/procfs.h"
#include "http/metrics.h"
#include "http/request.h"
#include "view/counters.h"

#define OVER_DEFAULT_US 100000 /* what a person notices */

struct question {
	int64_t over_us;
};

ROUTE(metrics_get, GET, "/v1/metrics", struct question,
      PARAM_NUMBER("over", struct question, over_us, .max = INT64_MAX, .otherwise = OVER_DEFAULT_US,
		   .advice = "is not a number of microseconds"));

static void add_kernel(const struct api *api, struct json_object *o)
{
	struct sentinel_counters c = sentinel_counters(api->config.sentinel);
	struct json_object *kinds;

	counters_add(o, kernel_counters, &c);
	json_add_int(o, "resyncs", (int64_t)inventory_resyncs(api->config.inventory));
	json_add_int(o, "sockets", (int64_t)inventory_count(api->config.inventory));
	kinds = json_add_object(o, "byKind");
	for (int kind = EVENT_PROCESS; kind < _EVENT_KIND_MAX; kind++)
		json_add_int(kinds, event_kind_name((enum event_kind)kind),
			     (int64_t)api->events[kind]);
	view_probes(sentinel_report(api->config.sentinel), o);
}

static int handle(struct request *r)
{
	int64_t started_at = r->api->config.started_at;
	struct registry_counters database = registry_counters(r->api->config.registry);
	const struct metrics *m = server_metrics(r->api->server);
	const struct question *q = r->params;
	struct json_object *o = r->answer;
	uint64_t memory = 0;
	int fault = procfs_own_memory(&memory);

	if (fault)
		return fault;
	json_add_int(o, "startedAt", started_at);
	json_add_int(o, "uptime", r->now > started_at ? r->now - started_at : 0);
	json_add_int(o, "averageUs", metrics_average_us(m));
	counters_add(o, metrics_counters, m);
	counters_add(json_add_object(o, "database"), database_counters, &database);
	json_add_known(json_add_object(o, "memory"), "bytes", (int64_t)memory);
	add_kernel(r->api, json_add_object(o, "kernel"));
	metrics_add_answers(m, o);
	metrics_add_slowest(m, (uint64_t)q->over_us, o);
	return 0;
}
