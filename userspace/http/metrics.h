/* SPDX-License-Identifier: MIT */
/*
 * What the daemon costs, counted since its start: every answer by route and outcome, how long the
 * answers took, and the slowest of them with what they waited for.  Recording allocates nothing.
 */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/outcome.h"
#include "http/request.h"

#define METRICS_SLOWEST 64 /* requests that are remembered; more than anybody reads */

/* Upper bounds of the histogram of latencies, in microseconds; the last bucket is without one. */
extern const uint64_t metrics_bounds_us[];
#define METRICS_BOUNDS 14
#define METRICS_ROUTES 40

struct metrics_slow {
	const struct route *route; /* NULL: of no route */
	enum outcome outcome;
	int64_t at; /* Unix seconds of the answer */
	uint64_t took_us, database_us, queue_us;
	char subject[REQUEST_SUBJECT_SIZE];
};

struct metrics_row {
	const struct route *route; /* NULL: paths that are no route */
	uint64_t answers[_OUTCOME_MAX];
};

struct metrics {
	uint64_t requests;
	uint64_t errors;  /* answers that are the daemon's fault: status 500 and above */
	uint64_t refused; /* answers that are the client's */
	uint64_t connections, refused_connections, dropped_watchers;
	/* Of all requests but those that wait by their client's wish, as a stream does. */
	uint64_t timed, total_us, max_us;
	uint64_t buckets[METRICS_BOUNDS + 1]; /* not cumulative */
	size_t n_rows;
	struct metrics_row rows[METRICS_ROUTES + 1]; /* as in the table of routes, then of none */
	size_t n_slowest;
	struct metrics_slow slowest[METRICS_SLOWEST]; /* in no order */
};

static inline int64_t metrics_average_us(const struct metrics *m)
{
	return m->timed ? (int64_t)(m->total_us / m->timed) : 0;
}

/* Begins to count: a row for each route of the table, which ends with NULL. */
void metrics_init(struct metrics *m, const struct route *const *routes);

/* An answer was handed to its connection: counts it, times it from trace->began_us to now. */
void metrics_answered(struct metrics *m, const struct request_trace *trace, enum outcome outcome);

/*
 * Indices into slowest[] of the requests that took longer than over_us, the slowest first; returns
 * how many.
 */
size_t metrics_slowest(const struct metrics *m, uint64_t over_us, size_t ret[METRICS_SLOWEST]);

#endif
