/* SPDX-License-Identifier: MIT */
/* GET /metrics: what was counted, for Prometheus. */
#include <errno.h>
#include <time.h>

#include "api/routes.h"
#include "api/state.h"
#include "base/build.h"
#include "base/procfs.h"
#include "http/request.h"
#include "registry/sessions.h"
#include "view/counters.h"

ROUTE(metrics_text_get, GET, "/metrics", struct route_no_params);

static int write_gauges(FILE *to, const struct api *api)
{
	const struct api_config *config = &api->config;
	uint64_t memory = 0;
	int64_t locks = 0;
	int fault = procfs_own_memory(&memory);

	if (!fault)
		fault = registry_count_locks(config->registry, &locks);
	family_begin(to, "build_info", "gauge", "Always 1; the label has the version.");
	family_sample(to, "build_info", "version", build_own.version, 1);
	family_value(to, "uptime_seconds", "gauge", "Seconds since the daemon started.",
		     (double)(time(NULL) - config->started_at));
	family_value(
		to, "memory_bytes", "gauge",
		"Proportional set size of the daemon, where the kernel tells it, else resident.",
		(double)memory);
	family_value(to, "resyncs_total", "counter",
		     "Times that the table of sockets was rebuilt, the first included.",
		     (double)inventory_resyncs(config->inventory));
	family_value(to, "sockets", "gauge", "Bound sockets of the machine.",
		     (double)inventory_count(config->inventory));
	family_value(to, "locks_held", "gauge", "Locks that are held.", (double)locks);
	return fault;
}

static int write_states(FILE *to, struct registry *registry)
{
	int64_t services[_SERVICE_STATUS_MAX], sessions[_SESSION_STATUS_MAX];
	int fault = registry_count_services(registry, services);

	if (!fault)
		fault = registry_count_sessions(registry, sessions);
	if (fault)
		return fault;
	family_begin(to, "services", "gauge", "Claimed services by status.");
	for (int i = 0; i < _SERVICE_STATUS_MAX; i++)
		family_sample(to, "services", "status", service_status_name((enum service_status)i),
			      (double)services[i]);
	family_begin(to, "sessions", "gauge", "Sessions by status.");
	for (int i = 0; i < _SESSION_STATUS_MAX; i++)
		family_sample(to, "sessions", "status", session_status_name((enum session_status)i),
			      (double)sessions[i]);
	return 0;
}

static void write_kernel(FILE *to, const struct api *api)
{
	const struct sentinel_report *report = sentinel_report(api->config.sentinel);
	struct sentinel_counters counters = sentinel_counters(api->config.sentinel);

	counters_write(to, kernel_counters, &counters);
	family_begin(to, "kernel_events_by_kind_total", "counter",
		     "Events that the kernel delivered, by what happened.");
	for (int kind = EVENT_PROCESS; kind < _EVENT_KIND_MAX; kind++)
		family_sample(to, "kernel_events_by_kind_total", "kind",
			      event_kind_name((enum event_kind)kind), (double)api->events[kind]);
	family_begin(to, "probe_works", "gauge",
		     "1 for each eBPF probe that has proved itself, 0 for one that was refused or "
		     "silent.");
	for (int i = 0; i < report->n_probes; i++) {
		const struct sentinel_probe *probe = &report->probes[i];

		fputs(COUNTERS_PREFIX "probe_works", to);
		family_label(to, "{", "probe", probe->name);
		family_label(to, ",", "attached", probe->attached);
		fprintf(to, "} %d\n", probe->state == SENTINEL_PROBE_WORKS);
	}
}

static int write_all(FILE *to, const struct api *api)
{
	struct registry_counters database = registry_counters(api->config.registry);
	int fault = write_gauges(to, api);

	if (!fault)
		fault = write_states(to, api->config.registry);
	counters_write(to, database_counters, &database);
	write_kernel(to, api);
	metrics_write(to, server_metrics(api->server));
	return fault;
}

static int handle(struct request *r)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	int fault;

	if (!to)
		return -errno;
	fault = write_all(to, r->api);
	if (fclose(to))
		return -ENOMEM;
	if (fault)
		return fault;
	r->text = TAKE_PTR(text);
	r->content_type = COUNTERS_CONTENT_TYPE;
	return 0;
}
