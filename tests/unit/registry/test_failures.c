/* SPDX-License-Identifier: MIT */
#include "unit/registry/fixture.h"

#include "registry/schema.h"
#include "unit/registry/stored_v1.h"

#define EVERY_FAILURE                      \
	(struct failure_filter)            \
	{                                  \
		.uid = PROCESS_UID_UNKNOWN \
	}

static struct failure refusal(pid_t pid, uid_t uid, uint16_t port)
{
	return (struct failure){
		.at = FIXTURE_NOW,
		.caller = { .pid = pid, .start_ticks = 4711 },
		.uid = uid,
		.comm = "node",
		.port = port,
		.error = EADDRINUSE,
		.explanation = "{\"verdict\":\"listener\"}",
	};
}

static int64_t record(struct fixture *f, const struct failure *failure)
{
	int64_t id = 0;

	fixture_begin(f);
	assert_int_equal(registry_record_failure(f->registry, failure, &id), 0);
	fixture_commit(f);
	return id;
}

static int64_t record_of(struct fixture *f, pid_t pid, uid_t uid, uint16_t port)
{
	struct failure failure = refusal(pid, uid, port);

	return record(f, &failure);
}

struct found {
	size_t n, stop_after;
	struct failure first;
	char comm[64], explanation[8192];
	int64_t ids[2 * FAILURES_KEEP_ROWS];
};

static bool keep(const struct failure *failure, void *user_data)
{
	struct found *found = user_data;

	if (!found->n) {
		found->first = *failure;
		snprintf(found->comm, sizeof(found->comm), "%s", failure->comm);
		snprintf(found->explanation, sizeof(found->explanation), "%s",
			 failure->explanation);
	}
	assert_true(found->n < ARRAY_SIZE(found->ids));
	found->ids[found->n++] = failure->id;
	return found->n != found->stop_after;
}

static const struct found *find(struct fixture *f, const struct failure_filter *filter)
{
	static struct found found;

	found = (struct found){ 0 };
	assert_int_equal(registry_for_each_failure(f->registry, filter, keep, &found), 0);
	return &found;
}

static void refusal_is_found_with_everything_that_was_recorded(void **state)
{
	struct fixture *f = *state;
	struct failure failure = refusal(81, 1000, 3000);
	int64_t id = record(f, &failure);
	const struct found *found = find(f, &EVERY_FAILURE);

	assert_int_equal(found->n, 1);
	assert_int_equal(found->first.id, id);
	assert_int_equal(found->first.at, FIXTURE_NOW);
	assert_int_equal(found->first.caller.pid, 81);
	assert_int_equal(found->first.caller.start_ticks, 4711);
	assert_int_equal(found->first.uid, 1000);
	assert_int_equal(found->first.port, 3000);
	assert_int_equal(found->first.error, EADDRINUSE);
	assert_string_equal(found->comm, "node");
	assert_string_equal(found->explanation, failure.explanation);
}

static void refusal_survives_a_restart(void **state)
{
	struct fixture *f = *state;

	record_of(f, 81, 1000, 3000);
	fixture_reopen(f);
	assert_int_equal(find(f, &EVERY_FAILURE)->n, 1);
}

static void newest_refusal_comes_first(void **state)
{
	struct fixture *f = *state;
	int64_t older = record_of(f, 81, 1000, 3000), newer = record_of(f, 80, 1000, 3000);
	const struct found *found = find(f, &EVERY_FAILURE);

	assert_int_equal(found->n, 2);
	assert_int_equal(found->ids[0], newer);
	assert_int_equal(found->ids[1], older);
}

static void filters_are_all_applied(void **state)
{
	struct fixture *f = *state;
	int64_t a = record_of(f, 81, 1000, 3000), b = record_of(f, 81, 1000, 3001);
	int64_t c = record_of(f, 82, 1000, 3000), d = record_of(f, 83, 0, 3000);
	const struct {
		struct failure_filter filter;
		size_t n;
		int64_t ids[4];
	} cases[] = {
		{ { .uid = PROCESS_UID_UNKNOWN }, 4, { d, c, b, a } },
		{ { .uid = 1000 }, 3, { c, b, a } },
		{ { .uid = 0 }, 1, { d } },
		{ { .uid = 1001 }, 0, { 0 } },
		{ { .uid = PROCESS_UID_UNKNOWN, .pid = 81 }, 2, { b, a } },
		{ { .uid = PROCESS_UID_UNKNOWN, .port = 3000 }, 3, { d, c, a } },
		{ { .uid = 1000, .port = 3000 }, 2, { c, a } },
		{ { .uid = 1000, .pid = 81, .port = 3001 }, 1, { b } },
		{ { .uid = 0, .pid = 81 }, 0, { 0 } },
		{ { .uid = 1000, .limit = 1 }, 1, { c } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct found *found = find(f, &cases[i].filter);

		assert_int_equal(found->n, cases[i].n);
		assert_memory_equal(found->ids, cases[i].ids, found->n * sizeof(int64_t));
	}
}

static void visit_that_has_enough_ends_the_search(void **state)
{
	struct fixture *f = *state;
	struct found found = { .stop_after = 1 };

	record_of(f, 81, 1000, 3000);
	record_of(f, 82, 1000, 3000);
	assert_int_equal(registry_for_each_failure(f->registry, &EVERY_FAILURE, keep, &found), 0);
	assert_int_equal(found.n, 1);
}

static void oldest_refusals_make_room(void **state)
{
	struct fixture *f = *state;
	struct failure failure = refusal(81, 1000, 3000);
	const struct found *found;
	int64_t id = 0;

	fixture_begin(f);
	for (int i = 0; i < FAILURES_KEEP_ROWS + 5; i++)
		assert_int_equal(registry_record_failure(f->registry, &failure, &id), 0);
	fixture_commit(f);
	found = find(f, &EVERY_FAILURE);
	assert_int_equal(found->n, FAILURES_KEEP_ROWS);
	assert_int_equal(found->ids[0], id);
	assert_int_equal(found->ids[found->n - 1], id - FAILURES_KEEP_ROWS + 1);
}

static void refusal_outside_of_a_batch_is_not_stored(void **state)
{
	struct fixture *f = *state;
	struct failure failure = refusal(81, 1000, 3000);

	assert_int_equal(registry_record_failure(f->registry, &failure, NULL), -EINVAL);
	assert_int_equal(find(f, &EVERY_FAILURE)->n, 0);
}

static void name_that_is_no_text_is_mended(void **state)
{
	struct fixture *f = *state;
	struct failure failure = refusal(81, 1000, 3000);

	failure.comm = "no\xff"
		       "de";
	record(f, &failure);
	assert_string_equal(find(f, &EVERY_FAILURE)->comm, "no\xef\xbf\xbd"
							   "de");
}

static void start_of_a_process_before_this_boot_is_unknown(void **state)
{
	struct fixture *f = *state;
	const struct found *found;

	record_of(f, 81, 1000, 3000);
	fixture_shell(f, "UPDATE failures SET bootId = '00000000-0000-4000-8000-000000000000'");
	found = find(f, &EVERY_FAILURE);
	assert_int_equal(found->first.caller.pid, 81);
	assert_int_equal(found->first.caller.start_ticks, 0);
}

static void row_that_explains_nothing_is_skipped(void **state)
{
	struct fixture *f = *state;

	fixture_shell(f, "INSERT INTO failures(pid, uid) VALUES(81, 1000)");
	fixture_shell(f, "INSERT INTO failures(pid, uid, explanation) VALUES(81, 1000, x'ff')");
	assert_int_equal(find(f, &EVERY_FAILURE)->n, 0);
}

static void values_that_a_person_typed_do_not_get_out_of_range(void **state)
{
	struct fixture *f = *state;
	const struct found *found;

	fixture_shell(f, "INSERT INTO failures VALUES(-9223372036854775808, -5, 99999999999, 'x', "
			 "NULL, -7, NULL, 70000, -1, '{}')");
	found = find(f, &EVERY_FAILURE);
	assert_int_equal(found->n, 1);
	assert_int_equal(found->first.at, 0);
	assert_int_equal(found->first.caller.pid, 0);
	assert_int_equal(found->first.uid, PROCESS_UID_UNKNOWN);
	assert_int_equal(found->first.port, 0);
	assert_int_equal(found->first.error, 0);
	assert_string_equal(found->comm, "");
	record_of(f, 81, 1000, 3000); /* its id follows that one: nothing to prune so far down */
	assert_int_equal(find(f, &EVERY_FAILURE)->n, 2);
}

static void database_of_version_1_is_brought_forward_with_its_rows(void **state)
{
	struct fixture *f = *state;
	char version[16];

	snprintf(version, sizeof(version), "%d", schema_version());
	fixture_shell(f, stored_v1);
	fixture_expect(f, "PRAGMA user_version", "1");
	fixture_open(f);
	record_of(f, 81, 1000, 3000);
	assert_int_equal(find(f, &EVERY_FAILURE)->n, 1);
	fixture_close(f);
	fixture_expect(f, "PRAGMA user_version", version);
	fixture_expect(f, "SELECT port FROM services WHERE id = 'myapp:web'", "8075");
	fixture_expect(f, "SELECT details FROM activity", "bind 0.0.0.0:3000: EADDRINUSE");
	fixture_expect(f, "SELECT value FROM meta WHERE key = 'lastAlive'", "1700000002");
}

/* What a crash in the middle of the step leaves behind is what was there before it. */
static void step_that_fails_leaves_the_old_version(void **state)
{
	struct fixture *f = *state;

	fixture_shell(f, stored_v1);
	fixture_shell(f, "CREATE TABLE failuresByPid(x)"); /* in the way of the step's last line */
	fixture_open_fails(f);
	fixture_expect(f, "PRAGMA user_version", "1");
	fixture_expect(f, "SELECT count(*) FROM sqlite_master WHERE name = 'failures'", "0");
	fixture_shell(f, "DROP TABLE failuresByPid");
	fixture_open(f);
	assert_int_equal(find(f, &EVERY_FAILURE)->n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define TEST_EMPTY(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup_empty, fixture_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(refusal_is_found_with_everything_that_was_recorded),
		TEST(refusal_survives_a_restart),
		TEST(newest_refusal_comes_first),
		TEST(filters_are_all_applied),
		TEST(visit_that_has_enough_ends_the_search),
		TEST(oldest_refusals_make_room),
		TEST(refusal_outside_of_a_batch_is_not_stored),
		TEST(name_that_is_no_text_is_mended),
		TEST(start_of_a_process_before_this_boot_is_unknown),
		TEST(row_that_explains_nothing_is_skipped),
		TEST(values_that_a_person_typed_do_not_get_out_of_range),
		TEST_EMPTY(database_of_version_1_is_brought_forward_with_its_rows),
		TEST_EMPTY(step_that_fails_leaves_the_old_version),
	};

	return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
