/* SPDX-License-Identifier: MIT */
/* Tables of what the database and the kernel's side count, as http/counters.h shows them. */
#ifndef VIEW_COUNTERS_H
#define VIEW_COUNTERS_H

#include "http/counters.h"

struct json_object;
struct sentinel_report;

/* Of struct registry_counters and struct sentinel_counters. */
extern const struct counter database_counters[], kernel_counters[];

/* Adds "mode" and "probes" of the backend; returns how many of them work. */
int view_probes(const struct sentinel_report *report, struct json_object *o);

#endif
