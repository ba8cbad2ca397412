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

static int handle(struct request *r)
{
	const struct api_config *config = &r->api->config;
	const struct counted counted = { config->registry, config->inventory, config->sentinel,
					 r->api->events, config->started_at };
	struct registry_counters database = registry_counters(config->registry);
	const struct metrics *m = server_metrics(r->api->server);
	const struct question *q = r->params;
	struct json_object *o = r->answer;
	uint64_t memory = 0;
	int fault = procfs_own_memory(&memory);

	if (fault)
		return fault;
	json_add_int(o, "startedAt", config->started_at);
	json_add_int(o, "uptime", r->now > config->started_at ? r->now - config->started_at : 0);
	json_add_int(o, "averageUs", metrics_average_us(m));
	counters_add(o, metrics_counters, m);
	counters_add(json_add_object(o, "database"), database_counters, &database);
	json_add_known(json_add_object(o, "memory"), "bytes", (int64_t)memory);
	counted_add_kernel(json_add_object(o, "kernel"), &counted);
	metrics_add_answers(m, o);
	metrics_add_slowest(m, (uint64_t)q->over_us, o);
	return 0;
}
