/* SPDX-License-Identifier: MIT */
/* What was counted of requests, as clients read it. */
#include "base/procfs.h"
#include "world.h"

TEST(this_process_has_memory_and_not_more_than_the_machine)
{
	uint64_t bytes = 0;

	assert_int_equal(procfs_own_memory(&bytes), 0);
	assert_true(bytes > 100 * 1024);
	assert_true(bytes < (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

TEST_WITH(a_claim_is_remembered_with_its_subject_and_its_commit, struct world *w)
{
	const struct answer *claimed = ask_claim(w, "a:b", 0);
	const struct answer *metrics = ask_get(w, "/v1/metrics?over=0");
	struct json_object *list = member(metrics->body, "slow.requests"), *row = NULL;

	assert_ok(claimed);
	assert_ok(metrics);
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

TEST_WITH(a_threshold_that_is_no_number_is_refused, struct world *w)
{
	static const struct bad_request bad[] = {
		{ "/v1/metrics?over=5ms", "microseconds" },
		{ "/v1/metrics?over=-1", "microseconds" },
		{ "/v1/metrics?over=99999999999999999999", "microseconds" },
	};

	assert_bad_paths(w, bad, ARRAY_SIZE(bad));
}

TEST_WITH(the_text_for_prometheus_has_its_type_and_escaped_labels, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	const struct answer *a;

	client_get(w, &c, "/metrics");
	client_wait_text(w, &c, "port_daddy_request_duration_seconds_count");
	assert_non_null(strstr(c.text, "Content-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(c.text, "\n# TYPE port_daddy_requests_total counter\n"));
	assert_non_null(strstr(c.text, "port_daddy_build_info{version=\"" PD_VERSION "\"} 1\n"));
	assert_non_null(strstr(c.text, "_bucket{le=\"+Inf\"} "));
	a = client_answer(w, &c);
	assert_int_equal(a->status, 200);
	assert_null(a->body); /* no JSON */
}

TEST_MAIN(world_open, world_close)
