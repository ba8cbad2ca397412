/* SPDX-License-Identifier: MIT */
/* What is counted of requests: without a server, and through one. */
#include "api/metrics.h"
#include "api/server.h"
#include "base/clock.h"
#include "world.h"

/* An api that only counts. */
static void answered(struct api *api, uint64_t took_us, enum outcome outcome, const char *subject)
{
	struct request_trace trace = { .began_us = clock_us(CLOCK_MONOTONIC) - took_us,
				       .database_us = 3 };

	snprintf(trace.subject, sizeof(trace.subject), "%s", subject);
	metrics_answered(api, &trace, outcome);
}

static int new_api(void **state)
{
	*state = calloc(1, sizeof(struct api));
	return *state ? 0 : -1;
}

static int free_api(void **state)
{
	free(*state);
	return 0;
}

static void errors_are_the_daemons_own_and_refusals_the_clients(void **state)
{
	struct api *api = *state;

	answered(api, 10, OUTCOME_OK, "");
	answered(api, 10, OUTCOME_NO, "");
	answered(api, 10, OUTCOME_TOO_LARGE, "");
	answered(api, 10, OUTCOME_FAILED, "");
	answered(api, 10, OUTCOME_NO_SPACE, "");
	assert_int_equal(api->counters.requests, 5);
	assert_int_equal(api->counters.refused, 2);
	assert_int_equal(api->counters.errors, 2);
	assert_int_equal(api->metrics.answers[ROUTES_MAX][OUTCOME_FAILED], 1);
}

static void each_latency_falls_into_the_first_bucket_that_holds_it(void **state)
{
	struct api *api = *state;
	uint64_t sum = 0;

	answered(api, 1, OUTCOME_OK, "");
	answered(api, 3000, OUTCOME_OK, "");
	answered(api, 60 * 1000000, OUTCOME_OK, "");
	assert_int_equal(api->metrics.buckets[0], 1);
	assert_int_equal(api->metrics.buckets[5], 1); /* up to 5 ms */
	assert_int_equal(api->metrics.buckets[METRICS_BOUNDS], 1);
	for (size_t i = 0; i <= METRICS_BOUNDS; i++)
		sum += api->metrics.buckets[i];
	assert_int_equal(sum, api->counters.timed);
	assert_true(api->counters.max_us >= 60 * 1000000);
}

static void what_waits_by_its_own_wish_is_counted_and_not_timed(void **state)
{
	struct api *api = *state;
	const struct request_trace trace = { .began_us = clock_us(CLOCK_MONOTONIC) - 9000000,
					     .waits = true };

	metrics_answered(api, &trace, OUTCOME_OK);
	assert_int_equal(api->counters.requests, 1);
	assert_int_equal(api->counters.timed, 0);
	assert_int_equal(api->counters.max_us, 0);
	assert_int_equal(api->metrics.n_slowest, 0);
}

static void the_slowest_are_kept_in_whatever_order_they_come(void **state)
{
	struct api *api = *state;
	size_t found[METRICS_SLOWEST], n;
	char subject[32];

	/* 200 latencies, each once, scattered: 7 and 200 have no common factor */
	for (unsigned i = 0; i < 200; i++) {
		unsigned ms = 10 * (i * 7 % 200 + 1);

		snprintf(subject, sizeof(subject), "%u", ms);
		answered(api, 1000 * ms, OUTCOME_OK, subject);
	}
	n = metrics_slowest(&api->metrics, 0, found);
	assert_int_equal(n, METRICS_SLOWEST);
	for (size_t i = 0; i < n; i++) {
		snprintf(subject, sizeof(subject), "%zu", 10 * (200 - i));
		assert_string_equal(api->metrics.slowest[found[i]].subject, subject);
		assert_int_equal(api->metrics.slowest[found[i]].database_us, 3);
	}
	assert_int_equal(metrics_slowest(&api->metrics, 1995000, found), 1);
	assert_int_equal(metrics_slowest(&api->metrics, 60000000, found), 0);
}

static void this_process_has_memory_and_not_more_than_the_machine(void **state)
{
	uint64_t bytes = 0;

	assert_int_equal(metrics_memory(&bytes), 0);
	assert_true(bytes > 100 * 1024);
	assert_true(bytes < (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

/* --- through the server --- */

static void a_claim_is_remembered_with_its_subject_and_its_commit(void **state)
{
	_cleanup_answer_ struct answer claim = ask_post(*state, "/v1/claims", "{\"id\":\"a:b\"}");
	_cleanup_answer_ struct answer metrics = ask_get(*state, "/v1/metrics?over=0");
	struct json_object *list = member(metrics.body, "slow.requests"), *row = NULL;

	assert_ok(&claim);
	assert_ok(&metrics);
	for (size_t i = 0; i < json_object_array_length(list) && !row; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (!strcmp(json_object_get_string(member(o, "path")), "/v1/claims"))
			row = o;
	}
	assert_non_null(row);
	assert_string_equal(json_object_get_string(member(row, "method")), "POST");
	assert_string_equal(json_object_get_string(member(row, "subject")), "a:b");
	assert_true(json_object_get_int64(member(row, "databaseUs")) > 0);
	assert_true(json_object_get_int64(member(row, "tookUs")) >=
		    json_object_get_int64(member(row, "databaseUs")) +
			    json_object_get_int64(member(row, "queueUs")));
}

static void a_threshold_that_is_no_number_is_refused(void **state)
{
	static const char *const paths[] = { "/v1/metrics?over=5ms", "/v1/metrics?over=-1",
					     "/v1/metrics?over=99999999999999999999" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_answer_ struct answer a = ask_get(*state, paths[i]);

		assert_error(&a, 400, "bad_request", "microseconds");
	}
}

static void the_text_for_prometheus_has_its_type_and_escaped_labels(void **state)
{
	_cleanup_client_ struct client c = client_new(*state);
	_cleanup_answer_ struct answer a = { 0 };

	client_get(*state, &c, "/metrics");
	client_wait_text(*state, &c, "port_daddy_request_duration_seconds_count");
	assert_non_null(strstr(c.text, "Content-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(c.text, "\n# TYPE port_daddy_requests_total counter\n"));
	assert_non_null(strstr(c.text, "port_daddy_build_info{version=\"0.0.0-test\"} 1\n"));
	assert_non_null(strstr(c.text, "_bucket{le=\"+Inf\"} "));
	a = client_answer(*state, &c);
	assert_int_equal(a.status, 200);
	assert_null(a.body); /* no JSON */
}

#define counting_test(name) cmocka_unit_test_setup_teardown(name, new_api, free_api)
#define server_test(name)   cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		counting_test(errors_are_the_daemons_own_and_refusals_the_clients),
		counting_test(each_latency_falls_into_the_first_bucket_that_holds_it),
		counting_test(what_waits_by_its_own_wish_is_counted_and_not_timed),
		counting_test(the_slowest_are_kept_in_whatever_order_they_come),
		counting_test(this_process_has_memory_and_not_more_than_the_machine),
		server_test(a_claim_is_remembered_with_its_subject_and_its_commit),
		server_test(a_threshold_that_is_no_number_is_refused),
		server_test(the_text_for_prometheus_has_its_type_and_escaped_labels),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
