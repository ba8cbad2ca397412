/* SPDX-License-Identifier: MIT */
/* GET /v1/metrics: what was counted, as JSON: pd metrics. */
#include "api/counters.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/memory.h"
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
	int fault = memory_own(&bytes);

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

static void name_route(struct json_object *o, const struct route *route)
{
	json_add_text(o, "method", route ? route_method_name(route) : NULL);
	json_add_text(o, "path", route ? route->path : NULL);
}

static int add_routes(struct request *r)
{
	const struct metrics *m = server_metrics(r->api->server);
	struct json_object *list = json_add_array(r->answer, "routes");

	for (size_t i = 0; i < m->n_rows; i++)
		for (int outcome = 0; outcome < _OUTCOME_MAX; outcome++) {
			struct json_object *o;

			if (!m->rows[i].answers[outcome])
				continue;
			o = json_object_new_object();
			name_route(o, m->rows[i].route);
			json_add_text(o, "outcome", outcome_row((enum outcome)outcome)->code);
			json_add_int(o, "count", (int64_t)m->rows[i].answers[outcome]);
			json_append(list, o);
		}
	return 0;
}

static struct json_object *slow_view(const struct metrics_slow *slow)
{
	struct json_object *o = json_object_new_object();

	name_route(o, slow->route);
	json_add_text(o, "subject", slow->subject);
	json_add_text(o, "outcome", outcome_row(slow->outcome)->code);
	json_add_int(o, "at", slow->at);
	json_add_int(o, "tookUs", (int64_t)slow->took_us);
	json_add_int(o, "databaseUs", (int64_t)slow->database_us);
	json_add_int(o, "queueUs", (int64_t)slow->queue_us);
	return o;
}

static int add_slow(struct request *r)
{
	const struct metrics *m = server_metrics(r->api->server);
	struct json_object *o, *list;
	size_t found[METRICS_SLOWEST], n;
	uint64_t over_us = (uint64_t)((const struct question *)r->params)->over_us;

	o = json_add_object(r->answer, "slow");
	n = metrics_slowest(m, over_us, found);
	json_add_int(o, "overUs", (int64_t)over_us);
	/* below the fastest that is kept nothing is known */
	json_add_bool(o, "complete", m->n_slowest < METRICS_SLOWEST || n < METRICS_SLOWEST);
	list = json_add_array(o, "requests");
	for (size_t i = 0; i < n; i++)
		json_append(list, slow_view(&m->slowest[found[i]]));
	return 0;
}

static int handle(struct request *r)
{
	static int (*const parts[])(struct request *) = { add_requests, add_database, add_memory,
							  add_kernel,	add_routes,   add_slow };
	int fault = 0;

	for (size_t i = 0; !fault && i < ARRAY_SIZE(parts); i++)
		fault = parts[i](r);
	return fault;
}
