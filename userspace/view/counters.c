/* SPDX-License-Identifier: MIT */
#include "view/counters.h"

#include "http/json.h"
#include "registry/registry.h"
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
