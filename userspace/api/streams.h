/* SPDX-License-Identifier: MIT */
/* What happens, told to those who watch. */
#ifndef API_STREAMS_H
#define API_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#include "api/log.h"

struct activity;
struct api;
struct event;
struct why_obstacle;

/*
 * An entry of the activity, once the open batch is committed: a watcher never sees what was not
 * kept.  0, -ENOMEM.
 */
int streams_show_entry(struct api *api, const struct activity *entry);

#define EVENTS_RUNS_MAX 64 /* as many as a parameter has room for; more services have all told */

/* What a watcher of the events wants to see. */
struct events_filter {
	struct log_filter log;
	struct events_runs {
		uint32_t numbers[EVENTS_RUNS_MAX];
		size_t n;
	} runs; /* the members of those alone, and no entries; none = all */
};

/* An event of the kernel; `service` owns the port, or is NULL; of a refusal: who was in the way. */
struct shown_event {
	const struct api *api;
	const struct event *event;
	const char *service;
	const struct why_obstacle *obstacle;
	int64_t at_unix;
};
void streams_show_event(const struct shown_event *shown);

#endif
