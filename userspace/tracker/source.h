/* SPDX-License-Identifier: MIT */
/* Where the tracker's events come from: the sentinel, whose functions these are, or a test. */
#ifndef TRACKER_SOURCE_H
#define TRACKER_SOURCE_H

#include "sentinel/sentinel.h"

struct event_source {
	int fd; /* readable while there is something to dispatch; borrowed; -1 = never */
	int (*dispatch)(void *user_data, const struct sentinel_slice *slice,
			sentinel_handler handler, void *handler_data, bool *ret_resync);
	struct sentinel_counters (*counters)(void *user_data);
	const struct sentinel_report *report;
	void *user_data;
};

#endif
