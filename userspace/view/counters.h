/* SPDX-License-Identifier: MIT */
/* What the database and the kernel's side count, as http/counters.h shows it. */
#ifndef VIEW_COUNTERS_H
#define VIEW_COUNTERS_H

#include "http/counters.h"

struct inventory;
struct json_object;
struct registry;
struct sentinel;
struct sentinel_report;

/* Of struct registry_counters and struct sentinel_counters. */
extern const struct counter database_counters[], kernel_counters[];

/* Adds "mode", "trace", "unseen" and "probes" of the backend; returns how many of them work. */
int view_probes(const struct sentinel_report *report, struct json_object *o);

/* Where counters and gauges are found; borrowed. */
struct counted {
	struct registry *registry;
	const struct inventory *inventory;
	const struct sentinel *sentinel;
	const uint64_t *events; /* by enum event_kind, since the start */
	int64_t started_at;	/* Unix seconds */
};
/* What came from the kernel. */
void counted_add_kernel(struct json_object *o, const struct counted *c);
/* All but what http/ counts itself, for Prometheus.  0, negative errno. */
int counted_write(FILE *to, const struct counted *c);

#endif
