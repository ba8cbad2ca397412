/* SPDX-License-Identifier: MIT */
#include "view/counters.h"

#include <time.h>

#include "base/build.h"
#include "base/event.h"
#include "base/procfs.h"
#include "http/json.h"
#include "inventory/inventory.h"
#include "registry/locks.h"
#include "registry/registry.h"
#include "registry/sessions.h"
#include "sentinel/sentinel.h"

#define ROW(member, unit, json, name, help) \
	COUNTER(struct registry_counters, member, unit, json, name, "counter", help)
const struct counter database_counters[] = {
	ROW(statements, COUNTER_PLAIN, "queries", "database_queries_total",
	    "SQL statements that were executed."),
	ROW(commits, COUNTER_PLAIN, "commits", "database_commits_total",
	    "Transactions that were committed."),
	ROW(errors, COUNTER_PLAIN, "errors", "database_errors_total",
	    "SQL statements that failed."),
	ROW(busy_ns, COUNTER_NS, "busyUs", "database_busy_seconds_total",
	    "Seconds spent in the database, waiting for the disk included."),
	{ 0 },
};
#undef ROW

#define ROW(member, json, name, help) \
	COUNTER(struct sentinel_counters, member, COUNTER_PLAIN, json, name, "counter", help)
const struct counter kernel_counters[] = {
	ROW(events, "events", "kernel_events_total", "Events that the kernel delivered."),
	ROW(lost, "lost", "kernel_events_lost_total", "Events that the kernel dropped."),
	ROW(failed_reads, "failedReads", "kernel_failed_reads_total",
	    "Helpers of the eBPF programs that failed."),
	ROW(malformed, "malformed", "kernel_events_malformed_total",
	    "Records of the kernel that were refused."),
	{ 0 },
};
#undef ROW

static const char *const probe_states[] = {
	[SENTINEL_PROBE_REFUSED] = "refused",
	[SENTINEL_PROBE_SILENT] = "silent",
	[SENTINEL_PROBE_WORKS] = "works",
};

int view_probes(const struct sentinel_report *report, struct json_object *o)
{
	struct json_object *probes;
	int working = 0;

	json_add_text(o, "mode", report->mode == SENTINEL_MODE_BPF ? "bpf" : "poll");
	json_add_text(o, "trace", sentinel_trace_name(report->trace));
	json_add_text(o, "unseen", sentinel_trace_unseen(report->trace));
	probes = json_add_array(o, "probes");
	for (int i = 0; i < report->n_probes; i++) {
		const struct sentinel_probe *probe = &report->probes[i];
		struct json_object *item = json_append_object(probes);

		json_add_text(item, "name", probe->name);
		json_add_text(item, "attached", probe->attached);
		json_add_text(item, "state", probe_states[probe->state]);
		json_add_text(item, "reason", probe->reason);
		json_add_text(item, "blind", probe->blind);
		working += probe->state == SENTINEL_PROBE_WORKS;
	}
	return working;
}

void counted_add_kernel(struct json_object *o, const struct counted *c)
{
	struct sentinel_counters counters = sentinel_counters(c->sentinel);
	struct json_object *kinds;

	counters_add(o, kernel_counters, &counters);
	json_add_int(o, "resyncs", (int64_t)inventory_resyncs(c->inventory));
	json_add_int(o, "sockets", (int64_t)inventory_count(c->inventory));
	kinds = json_add_object(o, "byKind");
	for (int kind = EVENT_PROCESS; kind < _EVENT_KIND_MAX; kind++)
		json_add_int(kinds, event_kind_name((enum event_kind)kind),
			     (int64_t)c->events[kind]);
	view_probes(sentinel_report(c->sentinel), o);
}

/* --- for Prometheus --- */

static int write_gauges(FILE *to, const struct counted *c)
{
	uint64_t memory = 0;
	int64_t locks = 0;
	int fault = procfs_own_memory(&memory);

	if (!fault)
		fault = registry_count_locks(c->registry, &locks);
	family_begin(to, "build_info", "gauge", "Always 1; the label has the version.");
	family_sample(to, "build_info", "version", build_own.version, 1);
	family_value(to, "uptime_seconds", "gauge", "Seconds since the daemon started.",
		     (double)(time(NULL) - c->started_at));
	family_value(
		to, "memory_bytes", "gauge",
		"Proportional set size of the daemon, where the kernel tells it, else resident.",
		(double)memory);
	family_value(to, "resyncs_total", "counter",
		     "Times that the table of sockets was rebuilt, the first included.",
		     (double)inventory_resyncs(c->inventory));
	family_value(to, "sockets", "gauge", "Bound sockets of the machine.",
		     (double)inventory_count(c->inventory));
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

static void write_kernel(FILE *to, const struct counted *c)
{
	const struct sentinel_report *report = sentinel_report(c->sentinel);
	struct sentinel_counters counters = sentinel_counters(c->sentinel);

	counters_write(to, kernel_counters, &counters);
	family_begin(to, "kernel_events_by_kind_total", "counter",
		     "Events that the kernel delivered, by what happened.");
	for (int kind = EVENT_PROCESS; kind < _EVENT_KIND_MAX; kind++)
		family_sample(to, "kernel_events_by_kind_total", "kind",
			      event_kind_name((enum event_kind)kind), (double)c->events[kind]);
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

int counted_write(FILE *to, const struct counted *c)
{
	struct registry_counters database = registry_counters(c->registry);
	int fault = write_gauges(to, c);

	if (!fault)
		fault = write_states(to, c->registry);
	counters_write(to, database_counters, &database);
	write_kernel(to, c);
	return fault;
}
