/* SPDX-License-Identifier: MIT */
/*
 * Refused calls, on their way into the audit trail: who asked for what, and who held it at that
 * moment.  A program that retries in a loop is one row with a count, not a thousand rows.
 */
#ifndef DAEMON_FAILURES_H
#define DAEMON_FAILURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/event.h"
#include "inventory/inventory.h"

#define FAILURES_REMEMBERED 32 /* different refusals whose repetitions are counted */
#define FAILURES_REPEAT_S   10 /* the same refusal is written once in this time */
#define FAILURES_PER_S	    50 /* rows written in a second, in the long run */
/*
 * Rows at once: all that a machine starts is refused, or a script retries for some seconds as fast
 * as it can.  The next refusal, which somebody asks about, is not to pay for it.
 */
#define FAILURES_BURST	      1000
#define FAILURES_DETAILS_SIZE 320

struct failures {
	struct {
		struct process_id actor;
		uint16_t port;
		int error;
		enum event_call call;
		int64_t written;     /* Unix seconds of its last row */
		unsigned suppressed; /* repetitions since */
	} seen[FAILURES_REMEMBERED];
	unsigned next;	  /* the slot to overwrite */
	int64_t second;	  /* of the budget below */
	int64_t credit;	  /* rows that may be written */
	uint64_t dropped; /* over the budget, never written */
};

/*
 * Is this refusal worth a row?  Then *ret_repeated is how often it came again since its last row.
 * Pure but for its own memory.
 */
bool failures_admit(struct failures *f, const struct event *event, int64_t now,
		    unsigned *ret_repeated);

/* "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)".  ret: FAILURES_DETAILS_SIZE bytes. */
void failures_describe(const struct event *event, const struct inventory *inventory,
		       unsigned repeated, char *ret);

#endif
