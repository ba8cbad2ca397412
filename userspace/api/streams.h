/* SPDX-License-Identifier: MIT */
/* What happens, told to those who watch. */
#ifndef API_STREAMS_H
#define API_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#include "api/log.h"
#include "view/event.h"

struct activity;
struct api;

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

/* An event of the kernel, to whoever watches. */
struct shown_event {
	const struct api *api;
	struct view_event what;
};
void streams_show_event(const struct shown_event *shown);

#endif
