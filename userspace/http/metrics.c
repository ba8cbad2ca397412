/* SPDX-License-Identifier: MIT */
#include "http/metrics.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define HTTP_SERVER_ERROR 500 /* from here on the fault is the daemon's */

/* From a look into memory (tenths of a millisecond) to a disk that stalls. */
const uint64_t metrics_bounds_us[] = { 100,   250,   500,    1000,   2500,    5000,    10000,
				       25000, 50000, 100000, 250000, 1000000, 2500000, 10000000 };
_Static_assert(ARRAY_SIZE(metrics_bounds_us) == METRICS_BOUNDS, "a bucket for each bound");

static size_t bucket_of(uint64_t us)
{
	size_t i = 0;

	while (i < METRICS_BOUNDS && us > metrics_bounds_us[i])
		i++;
	return i;
}

/* Takes the place of the fastest that is remembered, if that one was faster. */
static void remember_slow(struct metrics *m, const struct request_trace *trace,
			  enum outcome outcome, uint64_t took_us)
{
	struct metrics_slow *place = &m->slowest[0];

	if (m->n_slowest < METRICS_SLOWEST) {
		place = &m->slowest[m->n_slowest++];
	} else {
		for (size_t i = 1; i < METRICS_SLOWEST; i++)
			if (m->slowest[i].took_us < place->took_us)
				place = &m->slowest[i];
		if (place->took_us >= took_us)
			return;
	}
	*place = (struct metrics_slow){
		.route = trace->route,
		.outcome = outcome,
		.at = time(NULL),
		.took_us = took_us,
		.database_us = trace->database_us,
		.queue_us = trace->queue_us,
	};
	memcpy(place->subject, trace->subject, sizeof(place->subject));
}

void metrics_init(struct metrics *m, const struct route *const *routes)
{
	while (routes[m->n_rows]) {
		assert(m->n_rows < METRICS_ROUTES);
		m->rows[m->n_rows].route = routes[m->n_rows];
		m->n_rows++;
	}
	m->n_rows++;
}

static struct metrics_row *row_of(struct metrics *m, const struct route *route)
{
	size_t i = 0;

	while (i + 1 < m->n_rows && m->rows[i].route != route)
		i++;
	return &m->rows[i];
}

void metrics_answered(struct metrics *m, const struct request_trace *trace, enum outcome outcome)
{
	uint64_t us = clock_us(CLOCK_MONOTONIC) - trace->began_us;

	m->requests++;
	if (outcome_row(outcome)->http >= HTTP_SERVER_ERROR)
		m->errors++;
	else if (outcome != OUTCOME_OK)
		m->refused++;
	row_of(m, trace->route)->answers[outcome]++;
	/* how long a client wished to wait says nothing about the daemon */
	if (trace->waits)
		return;
	m->timed++;
	m->total_us += us;
	if (us > m->max_us)
		m->max_us = us;
	m->buckets[bucket_of(us)]++;
	remember_slow(m, trace, outcome, us);
}

size_t metrics_slowest(const struct metrics *m, uint64_t over_us, size_t ret[METRICS_SLOWEST])
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_slowest; i++) {
		size_t at = n;

		if (m->slowest[i].took_us <= over_us)
			continue;
		for (; at && m->slowest[ret[at - 1]].took_us < m->slowest[i].took_us; at--)
			ret[at] = ret[at - 1];
		ret[at] = i;
		n++;
	}
	return n;
}
