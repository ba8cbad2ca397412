/* SPDX-License-Identifier: MIT */
/* Tables of what the database and the kernel's side count, as http/counters.h shows them. */
#ifndef API_COUNTERS_H
#define API_COUNTERS_H

#include "http/counters.h"

struct api;
struct json_object;

/* Of struct registry_counters and struct sentinel_counters. */
extern const struct counter database_counters[], kernel_counters[];

/* "mode" and "probes" of the backend; returns how many of them work. */
int counters_add_probes(const struct api *api, struct json_object *o);

#endif
