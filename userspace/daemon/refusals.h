/* SPDX-License-Identifier: MIT */
/*
 * Refused calls that the kernel told of: each has an entry in the audit trail, and the explanation
 * of that moment for `pd why`.
 */
#ifndef DAEMON_REFUSALS_H
#define DAEMON_REFUSALS_H

#include <stdint.h>

#include "daemon/failures.h"

struct journal;

struct refusals {
	const struct inventory *inventory; /* borrowed */
	struct journal *journal;	   /* borrowed */
	struct failures failures;
	uint64_t dropped_reported;
};

/* Writes down one refused call; `service` owns its port, NULL without one. */
void refusals_record(struct refusals *r, const struct event *event, const char *service,
		     int64_t now);

/* Those over the budget leave no rows, but a gap that says how many there were. */
void refusals_note_dropped(struct refusals *r, int64_t now);

#endif
