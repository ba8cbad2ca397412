/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: the same for Prometheus, in its text format 0.0.4.  A family is its HELP, its TYPE
 * and its samples, in one piece; names end in their unit, counters in _total.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/routes.h"
#include "api/state.h"
#include "base/memory.h"
#include "http/metrics.h"
#include "http/request.h"
#include "registry/sessions.h"

static int handle(struct request *r);

const struct route metrics_text_get = {
	.method = ROUTE_GET,
	.path = "/metrics",
	.handle = handle,
};

#define PREFIX	     "port_daddy_"
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define US_PER_S     1e6
#define NS_PER_S     1e9

/* All that a family without labels may show, read once. */
struct snapshot {
	double uptime_s, memory_bytes, sockets, locks;
	double errors, refused, max_s, connections, turned_away, dropped;
	double queries, commits, database_errors, busy_s;
	double events, lost, failed_reads, malformed, resyncs;
	int64_t services[_SERVICE_STATUS_MAX], sessions[_SESSION_STATUS_MAX];
};

static const struct {
	const char *name, *type, *help;
	size_t offset; /* of a double in struct snapshot */
} plain[] = {
#define PLAIN(name, type, member, help)                                    \
	{                                                                  \
		PREFIX name, type, help, offsetof(struct snapshot, member) \
	}
	PLAIN("uptime_seconds", "gauge", uptime_s, "Seconds since the daemon started."),
	PLAIN("memory_bytes", "gauge", memory_bytes,
	      "Proportional set size of the daemon, where the kernel tells it, else resident."),
	PLAIN("errors_total", "counter", errors, "Answers with a status of 500 and above."),
	PLAIN("refused_total", "counter", refused, "Answers with another status than 200."),
	PLAIN("request_duration_max_seconds", "gauge", max_s,
	      "The slowest answer since the start."),
	PLAIN("connections_total", "counter", connections, "Connections that were accepted."),
	PLAIN("connections_refused_total", "counter", turned_away,
	      "Of those, connections beyond what a user or all may have."),
	PLAIN("watchers_dropped_total", "counter", dropped,
	      "Watchers that read too slowly and were disconnected."),
	PLAIN("database_queries_total", "counter", queries, "SQL statements that were executed."),
	PLAIN("database_commits_total", "counter", commits, "Transactions that were committed."),
	PLAIN("database_errors_total", "counter", database_errors, "SQL statements that failed."),
	PLAIN("database_busy_seconds_total", "counter", busy_s,
	      "Seconds spent in the database, waiting for the disk included."),
	PLAIN("kernel_events_total", "counter", events, "Events that the kernel delivered."),
	PLAIN("kernel_events_lost_total", "counter", lost, "Events that the kernel dropped."),
	PLAIN("kernel_failed_reads_total", "counter", failed_reads,
	      "Helpers of the eBPF programs that failed."),
	PLAIN("kernel_events_malformed_total", "counter", malformed,
	      "Records of the kernel that were refused."),
	PLAIN("resyncs_total", "counter", resyncs,
	      "Times that the table of sockets was rebuilt, the first included."),
	PLAIN("sockets", "gauge", sockets, "Bound sockets of the machine."),
	PLAIN("locks_held", "gauge", locks, "Locks that are held."),
#undef PLAIN
};

static int read_snapshot(const struct api *api, struct snapshot *s)
{
	const struct api_config *config = &api->config;
	struct registry_counters db = registry_counters(config->registry);
	struct sentinel_counters kernel = sentinel_counters(config->sentinel);
	const struct metrics *c = server_metrics(api->server);
	uint64_t memory = 0;
	int64_t locks = 0;
	int fault = memory_own(&memory);

	*s = (struct snapshot){
		.uptime_s = (double)(time(NULL) - config->started_at),
		.memory_bytes = (double)memory,
		.sockets = (double)inventory_count(config->inventory),
		.errors = (double)c->errors,
		.refused = (double)c->refused,
		.max_s = (double)c->max_us / US_PER_S,
		.connections = (double)c->connections,
		.turned_away = (double)c->refused_connections,
		.dropped = (double)c->dropped_watchers,
		.queries = (double)db.statements,
		.commits = (double)db.commits,
		.database_errors = (double)db.errors,
		.busy_s = (double)db.busy_ns / NS_PER_S,
		.events = (double)kernel.events,
		.lost = (double)kernel.lost,
		.failed_reads = (double)kernel.failed_reads,
		.malformed = (double)kernel.malformed,
		.resyncs = (double)inventory_resyncs(config->inventory),
	};
	if (!fault)
		fault = registry_count_locks(config->registry, &locks);
	if (!fault)
		fault = registry_count_services(config->registry, s->services);
	if (!fault)
		fault = registry_count_sessions(config->registry, s->sessions);
	s->locks = (double)locks;
	return fault;
}

/* --- the format --- */

static void family(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One label; a value may be any text: a backslash, a quote and a line's end are escaped. */
static void label(FILE *to, const char *before, const char *name, const char *value)
{
	fprintf(to, "%s%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", to);
		else if (*value == '\\' || *value == '"')
			fprintf(to, "\\%c", *value);
		else
			fputc(*value, to);
	}
	fputc('"', to);
}

static void sample(FILE *to, const char *name, const char *key, const char *value, double number)
{
	fputs(name, to);
	label(to, "{", key, value);
	fprintf(to, "} %.15g\n", number);
}

/* --- the families --- */

static void write_plain(FILE *to, const struct snapshot *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		double value;

		memcpy(&value, (const char *)s + plain[i].offset, sizeof(value));
		family(to, plain[i].name, plain[i].type, plain[i].help);
		fprintf(to, "%s %.15g\n", plain[i].name, value);
	}
}

static void write_states(FILE *to, const struct snapshot *s)
{
	family(to, PREFIX "services", "gauge", "Claimed services by status.");
	for (int i = 0; i < _SERVICE_STATUS_MAX; i++)
		sample(to, PREFIX "services", "status", service_status_name((enum service_status)i),
		       (double)s->services[i]);
	family(to, PREFIX "sessions", "gauge", "Sessions by status.");
	for (int i = 0; i < _SESSION_STATUS_MAX; i++)
		sample(to, PREFIX "sessions", "status", session_status_name((enum session_status)i),
		       (double)s->sessions[i]);
}

static void write_kernel(FILE *to, const struct api *api)
{
	const struct sentinel_report *report = sentinel_report(api->config.sentinel);

	family(to, PREFIX "kernel_events_by_kind_total", "counter",
	       "Events that the kernel delivered, by what happened.");
	for (int kind = EVENT_PROCESS; kind < _EVENT_KIND_MAX; kind++)
		sample(to, PREFIX "kernel_events_by_kind_total", "kind",
		       event_kind_name((enum event_kind)kind), (double)api->events[kind]);
	family(to, PREFIX "probe_works", "gauge",
	       "1 for each eBPF probe that has proved itself, 0 for one that was refused or "
	       "silent.");
	for (int i = 0; i < report->n_probes; i++) {
		const struct sentinel_probe *probe = &report->probes[i];

		fputs(PREFIX "probe_works", to);
		label(to, "{", "probe", probe->name);
		label(to, ",", "attached", probe->attached);
		fprintf(to, "} %d\n", probe->state == SENTINEL_PROBE_WORKS);
	}
}

static void write_requests(FILE *to, const struct metrics *m)
{
	family(to, PREFIX "requests_total", "counter", "Answers by route and outcome.");
	for (size_t i = 0; i < m->n_rows; i++)
		for (int outcome = 0; outcome < _OUTCOME_MAX; outcome++) {
			const struct route *route = m->rows[i].route;

			if (!m->rows[i].answers[outcome])
				continue;
			fputs(PREFIX "requests_total", to);
			label(to, "{", "method", route ? route_method_name(route) : "");
			label(to, ",", "route", route ? route->path : "");
			label(to, ",", "outcome", outcome_row((enum outcome)outcome)->code);
			fprintf(to, "} %.15g\n", (double)m->rows[i].answers[outcome]);
		}
}

static void write_latency(FILE *to, const struct api *api)
{
	const struct metrics *m = server_metrics(api->server);
	const char *name = PREFIX "request_duration_seconds";
	uint64_t sum = 0;

	family(to, name, "histogram",
	       "How long answers took; requests that wait by their client's wish are not in it.");
	for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
		sum += m->buckets[i];
		fprintf(to, "%s_bucket{le=\"", name);
		if (i < METRICS_BOUNDS)
			fprintf(to, "%g", (double)metrics_bounds_us[i] / US_PER_S);
		else
			fputs("+Inf", to);
		fprintf(to, "\"} %.15g\n", (double)sum);
	}
	fprintf(to, "%s_sum %.15g\n%s_count %.15g\n", name, (double)m->total_us / US_PER_S, name,
		(double)m->timed);
}

static void write_all(FILE *to, const struct api *api, const struct snapshot *s)
{
	family(to, PREFIX "build_info", "gauge", "Always 1; the label has the version.");
	sample(to, PREFIX "build_info", "version", api->config.version, 1);
	write_plain(to, s);
	write_states(to, s);
	write_kernel(to, api);
	write_requests(to, server_metrics(api->server));
	write_latency(to, api);
}

static int handle(struct request *r)
{
	_cleanup_free_ char *text = NULL;
	struct snapshot s;
	size_t size = 0;
	FILE *to;
	int fault = read_snapshot(r->api, &s);

	if (fault)
		return fault;
	to = open_memstream(&text, &size);
	if (!to)
		return -errno;
	write_all(to, r->api, &s);
	if (fclose(to))
		return -ENOMEM;
	r->text = TAKE_PTR(text);
	r->content_type = CONTENT_TYPE;
	return 0;
}
