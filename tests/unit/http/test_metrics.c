/* SPDX-License-Identifier: MIT */
/* What is counted of answers, without a server. */
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/metrics.h"
#include "testing.h"

static void answered(struct metrics *m, uint64_t took_us, enum outcome outcome, const char *subject)
{
	struct request_trace trace = { .began_us = clock_us(CLOCK_MONOTONIC) - took_us,
				       .database_us = 3 };

	snprintf(trace.subject, sizeof(trace.subject), "%s", subject);
	metrics_answered(m, &trace, outcome);
}

static int new_metrics(void **state)
{
	static const struct route *const routes[] = { NULL };
	static struct metrics m;

	m = (struct metrics){ 0 };
	metrics_init(&m, routes);
	*state = &m;
	return 0;
}

TEST_WITH(an_answer_counts_for_its_route_and_else_for_none, struct metrics *m)
{
	static const struct route a = { .path = "/a" }, b = { .path = "/b" }, other;
	static const struct route *const routes[] = { &a, &b, NULL };
	struct request_trace trace = { 0 };

	*m = (struct metrics){ 0 };
	metrics_init(m, routes);
	trace.route = &b;
	metrics_answered(m, &trace, OUTCOME_NO);
	trace.route = &other;
	metrics_answered(m, &trace, OUTCOME_OK);
	assert_int_equal(m->n_rows, 3);
	assert_ptr_equal(m->rows[1].route, &b);
	assert_int_equal(m->rows[1].answers[OUTCOME_NO], 1);
	assert_null(m->rows[2].route);
	assert_int_equal(m->rows[2].answers[OUTCOME_OK], 1);
	assert_int_equal(m->rows[0].answers[OUTCOME_OK], 0);
}

TEST_WITH(errors_are_the_daemons_own_and_refusals_the_clients, struct metrics *m)
{
	answered(m, 10, OUTCOME_OK, "");
	answered(m, 10, OUTCOME_NO, "");
	answered(m, 10, OUTCOME_TOO_LARGE, "");
	answered(m, 10, OUTCOME_FAILED, "");
	answered(m, 10, OUTCOME_NO_SPACE, "");
	assert_int_equal(m->requests, 5);
	assert_int_equal(m->refused, 2);
	assert_int_equal(m->errors, 2);
	assert_int_equal(m->rows[0].answers[OUTCOME_FAILED], 1);
}

TEST_WITH(each_latency_falls_into_the_first_bucket_that_holds_it, struct metrics *m)
{
	uint64_t sum = 0;

	answered(m, 1, OUTCOME_OK, "");
	answered(m, 3000, OUTCOME_OK, "");
	answered(m, 60 * 1000000, OUTCOME_OK, "");
	assert_int_equal(m->buckets[0], 1);
	assert_int_equal(m->buckets[5], 1); /* up to 5 ms */
	assert_int_equal(m->buckets[METRICS_BOUNDS], 1);
	for (size_t i = 0; i <= METRICS_BOUNDS; i++)
		sum += m->buckets[i];
	assert_int_equal(sum, m->timed);
	assert_true(m->max_us >= 60 * 1000000);
}

TEST_WITH(what_waits_by_its_own_wish_is_counted_and_not_timed, struct metrics *m)
{
	const struct request_trace trace = { .began_us = clock_us(CLOCK_MONOTONIC) - 9000000,
					     .waits = true };

	metrics_answered(m, &trace, OUTCOME_OK);
	assert_int_equal(m->requests, 1);
	assert_int_equal(m->timed, 0);
	assert_int_equal(m->max_us, 0);
	assert_int_equal(m->n_slowest, 0);
}

TEST_WITH(the_slowest_are_kept_in_whatever_order_they_come, struct metrics *m)
{
	size_t found[METRICS_SLOWEST], n;
	char subject[32];

	/* 200 latencies, each once, scattered: 7 and 200 have no common factor */
	for (unsigned i = 0; i < 200; i++) {
		unsigned ms = 10 * (i * 7 % 200 + 1);

		snprintf(subject, sizeof(subject), "%u", ms);
		answered(m, 1000 * ms, OUTCOME_OK, subject);
	}
	n = metrics_slowest(m, 0, found);
	assert_int_equal(n, METRICS_SLOWEST);
	for (size_t i = 0; i < n; i++) {
		snprintf(subject, sizeof(subject), "%zu", 10 * (200 - i));
		assert_string_equal(m->slowest[found[i]].subject, subject);
		assert_int_equal(m->slowest[found[i]].database_us, 3);
	}
	assert_int_equal(metrics_slowest(m, 1995000, found), 1);
	assert_int_equal(metrics_slowest(m, 60000000, found), 0);
}

EACH_TEST_MAIN(new_metrics, NULL)
