/* SPDX-License-Identifier: MIT */
#include "unit/registry/fixture.h"

#include "base/quota.h"
#include "unit/registry/stored.h"

static const struct refusal_filter every_refusal = { .uid = PROCESS_UID_UNKNOWN };

static struct refusal_record refusal(pid_t pid, uid_t uid, uint16_t port)
{
	return (struct refusal_record){
		.at = FIXTURE_NOW,
		.caller = { .pid = pid, .start_ticks = 4711 },
		.uid = uid,
		.comm = "node",
		.port = port,
		.error = EADDRINUSE,
		.explanation = "{\"verdict\":\"listener\"}",
	};
}

static int64_t record(struct fixture *f, const struct refusal_record *row)
{
	int64_t id = 0;

	assert_in_batch(f, registry_record_refusal(f->registry, row, &id), 0);
	return id;
}

static int64_t record_of(struct fixture *f, pid_t pid, uid_t uid, uint16_t port)
{
	struct refusal_record row = refusal(pid, uid, port);

	return record(f, &row);
}

struct found {
	size_t n, stop_after;
	struct refusal_record first;
	char comm[64], explanation[8192];
	uid_t uids[2000];
	uint16_t ports[2000];
	int64_t ids[2000];
};

static bool keep(const struct refusal_record *row, void *user_data)
{
	struct found *found = user_data;

	if (!found->n) {
		found->first = *row;
		snprintf(found->comm, sizeof(found->comm), "%s", row->comm);
		snprintf(found->explanation, sizeof(found->explanation), "%s", row->explanation);
	}
	assert_true(found->n < ARRAY_SIZE(found->ids));
	found->uids[found->n] = row->uid;
	found->ports[found->n] = row->port;
	found->ids[found->n++] = row->id;
	return found->n != found->stop_after;
}

static const struct found *find(struct fixture *f, const struct refusal_filter *filter)
{
	static struct found found;

	found = (struct found){ 0 };
	assert_int_equal(registry_for_each_refusal(f->registry, filter, keep, &found), 0);
	return &found;
}

static const struct found *find_all(struct fixture *f)
{
	return find(f, &every_refusal);
}

TEST_WITH(refusal_is_found_with_everything_that_was_recorded, struct fixture *f)
{
	struct refusal_record row = refusal(81, 1000, 3000);
	int64_t id = record(f, &row);
	const struct found *found = find_all(f);

	assert_int_equal(found->n, 1);
	assert_int_equal(found->first.id, id);
	assert_int_equal(found->first.at, FIXTURE_NOW);
	assert_int_equal(found->first.caller.pid, 81);
	assert_int_equal(found->first.caller.start_ticks, 4711);
	assert_int_equal(found->first.uid, 1000);
	assert_int_equal(found->first.port, 3000);
	assert_int_equal(found->first.error, EADDRINUSE);
	assert_string_equal(found->comm, "node");
	assert_string_equal(found->explanation, row.explanation);
}

TEST_WITH(refusal_survives_a_restart, struct fixture *f)
{
	record_of(f, 81, 1000, 3000);
	fixture_reopen(f);
	assert_int_equal(find_all(f)->n, 1);
}

TEST_WITH(newest_refusal_comes_first, struct fixture *f)
{
	int64_t older = record_of(f, 81, 1000, 3000), newer = record_of(f, 80, 1000, 3000);
	const struct found *found = find_all(f);

	assert_int_equal(found->n, 2);
	assert_int_equal(found->ids[0], newer);
	assert_int_equal(found->ids[1], older);
}

TEST_WITH(filters_are_all_applied, struct fixture *f)
{
	int64_t a = record_of(f, 81, 1000, 3000), b = record_of(f, 81, 1000, 3001);
	int64_t c = record_of(f, 82, 1000, 3000), d = record_of(f, 83, 0, 3000);
	const struct {
		struct refusal_filter filter;
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

TEST_WITH(visit_that_has_enough_ends_the_search, struct fixture *f)
{
	struct found found = { .stop_after = 1 };

	record_of(f, 81, 1000, 3000);
	record_of(f, 82, 1000, 3000);
	assert_int_equal(registry_for_each_refusal(f->registry, &every_refusal, keep, &found), 0);
	assert_int_equal(found.n, 1);
}

enum each { ITS_PROCESS = 1, ITS_PORT };

/* From process 1000 on, each of a process of its own, of a port of its own, or of both. */
static void record_many(struct fixture *f, size_t n, uid_t uid, uint16_t port, enum each each)
{
	fixture_begin(f);
	for (size_t i = 0; i < n; i++) {
		struct refusal_record row = refusal((pid_t)(1000 + (each & ITS_PROCESS ? i : 0)),
						    uid,
						    (uint16_t)(port + (each & ITS_PORT ? i : 0)));

		assert_int_equal(registry_record_refusal(f->registry, &row, NULL), 0);
	}
	fixture_commit(f);
}

static size_t rows_kept(void)
{
	return quota_limit(QUOTA_REFUSALS_KEPT)->machine;
}

static size_t count_of(const struct found *found, uid_t uid, uint16_t port)
{
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++)
		n += found->uids[i] == uid && (!port || found->ports[i] == port);
	return n;
}

TEST_WITH(oldest_refusals_make_room, struct fixture *f)
{
	size_t n = rows_kept() + FAILURES_PRUNE_SLICE;
	const struct found *found;

	record_many(f, n, 1000, 3000, ITS_PROCESS | ITS_PORT);
	found = find_all(f);
	assert_int_equal(found->n, rows_kept());
	assert_int_equal(found->ids[0], n);
	assert_int_equal(found->ids[found->n - 1], FAILURES_PRUNE_SLICE + 1);
}

TEST_WITH(whoever_has_most_makes_room_and_nobody_else, struct fixture *f)
{
	const struct found *found;

	record_many(f, 5, 1001, 4000, ITS_PROCESS | ITS_PORT); /* the oldest of all */
	record_many(f, 3 * rows_kept(), 1000, 3000, ITS_PROCESS | ITS_PORT);
	found = find_all(f);
	assert_int_equal(count_of(found, 1001, 0), 5);
	assert_in_range(found->n, rows_kept(), rows_kept() + FAILURES_PRUNE_SLICE);
}

TEST_WITH(two_who_have_many_keep_the_same_number, struct fixture *f)
{
	const struct found *found;
	size_t of_first, of_second;

	record_many(f, rows_kept(), 1000, 3000, ITS_PROCESS | ITS_PORT);
	record_many(f, rows_kept(), 1001, 3000, ITS_PROCESS | ITS_PORT);
	found = find_all(f);
	of_first = count_of(found, 1000, 0);
	of_second = count_of(found, 1001, 0);
	assert_in_range(of_first, rows_kept() / 2 - FAILURES_PRUNE_SLICE, rows_kept() / 2);
	assert_in_range(of_second, rows_kept() / 2, rows_kept() / 2 + FAILURES_PRUNE_SLICE);
}

TEST_WITH(program_that_runs_wild_on_a_port_leaves_its_users_others, struct fixture *f)
{
	const struct found *found;

	record_of(f, 81, 1000, 4000);
	record_many(f, 2 * rows_kept(), 1000, 3000, ITS_PROCESS);
	found = find_all(f);
	assert_int_equal(count_of(found, 1000, 4000), 1);
}

TEST_WITH(process_that_runs_wild_over_all_ports_leaves_its_users_others, struct fixture *f)
{
	const struct found *found;

	record_of(f, 81, 1000, 4000);
	record_many(f, 2 * rows_kept(), 1000, 10000, ITS_PORT);
	found = find_all(f);
	assert_int_equal(count_of(found, 1000, 4000), 1);
}

TEST_WITH(refusals_are_in_the_order_of_their_ids_and_not_of_their_explanations, struct fixture *f)
{
	struct refusal_record first = refusal(81, 1000, 3000), second = refusal(82, 1000, 3001);
	const struct found *found;

	record_of(f, 80, 1000, 2999);
	assert_int_equal(registry_next_refusal_id(f->registry, &first.id), 0);
	assert_int_equal(registry_next_refusal_id(f->registry, &second.id), 0);
	assert_int_equal(record(f, &second), second.id);
	assert_int_equal(record(f, &first), first.id);
	found = find_all(f);
	assert_int_equal(found->n, 3);
	assert_int_equal(found->ports[0], 3001);
	assert_int_equal(found->ports[1], 3000);
	assert_int_equal(found->ports[2], 2999);
}

TEST_WITH(id_that_a_person_took_meanwhile_is_no_hindrance, struct fixture *f)
{
	struct refusal_record row = refusal(81, 1000, 3000);

	assert_int_equal(registry_next_refusal_id(f->registry, &row.id), 0);
	fixture_shell(f, "INSERT INTO failures(id, explanation) VALUES(1, '{}')");
	assert_int_equal(row.id, 1);
	assert_int_not_equal(record(f, &row), 1);
	assert_int_equal(find_all(f)->n, 2);
}

TEST_WITH(last_id_that_there_is_is_not_passed, struct fixture *f)
{
	struct refusal_record row = refusal(81, 1000, 3000);

	fixture_shell(f, "INSERT INTO failures(id, explanation) VALUES(9223372036854775807, '{}')");
	assert_int_equal(registry_next_refusal_id(f->registry, &row.id), 0);
	assert_int_equal(row.id, 0);
	record(f, &row);
	assert_int_equal(find_all(f)->n, 2);
}

TEST_WITH(refusal_outside_of_a_batch_is_not_stored, struct fixture *f)
{
	struct refusal_record row = refusal(81, 1000, 3000);

	assert_int_equal(registry_record_refusal(f->registry, &row, NULL), -EINVAL);
	assert_int_equal(find_all(f)->n, 0);
}

TEST_WITH(name_that_is_no_text_is_mended, struct fixture *f)
{
	struct refusal_record row = refusal(81, 1000, 3000);

	row.comm = "no\xff"
		   "de";
	record(f, &row);
	assert_string_equal(find_all(f)->comm, "no\xef\xbf\xbd"
					       "de");
}

TEST_WITH(start_of_a_process_before_this_boot_is_unknown, struct fixture *f)
{
	const struct found *found;

	record_of(f, 81, 1000, 3000);
	fixture_shell(f, "UPDATE failures SET bootId = '00000000-0000-4000-8000-000000000000'");
	found = find_all(f);
	assert_int_equal(found->first.caller.pid, 81);
	assert_int_equal(found->first.caller.start_ticks, 0);
}

TEST_WITH(row_that_explains_nothing_is_skipped, struct fixture *f)
{
	fixture_shell(f, "INSERT INTO failures(pid, uid) VALUES(81, 1000)");
	fixture_shell(f, "INSERT INTO failures(pid, uid, explanation) VALUES(81, 1000, x'ff')");
	assert_int_equal(find_all(f)->n, 0);
}

TEST_WITH(values_that_a_person_typed_do_not_get_out_of_range, struct fixture *f)
{
	const struct found *found;

	fixture_shell(f, "INSERT INTO failures VALUES(-9223372036854775808, -5, 99999999999, 'x', "
			 "NULL, -7, NULL, 70000, -1, '{}')");
	found = find_all(f);
	assert_int_equal(found->n, 1);
	assert_int_equal(found->first.at, 0);
	assert_int_equal(found->first.caller.pid, 0);
	assert_int_equal(found->first.uid, PROCESS_UID_UNKNOWN);
	assert_int_equal(found->first.port, 0);
	assert_int_equal(found->first.error, 0);
	assert_string_equal(found->comm, "");
	record_of(f, 81, 1000, 3000); /* its id follows that one: nothing to prune so far down */
	assert_int_equal(find_all(f)->n, 2);
}

UNOPENED_TEST(database_of_version_1_is_brought_forward_with_its_rows, struct fixture *f)
{
	open_stored(f, stored_v1, 1);
	record_of(f, 81, 1000, 3000);
	assert_int_equal(find_all(f)->n, 1);
	fixture_close(f);
	fixture_expect(f, "SELECT port FROM services WHERE id = 'myapp:web'", "8075");
	fixture_expect(f, "SELECT details FROM activity", "bind 0.0.0.0:3000: EADDRINUSE");
	fixture_expect(f, "SELECT value FROM meta WHERE key = 'lastAlive'", "1700000002");
}

/* What a crash in the middle of the step leaves behind is what was there before it. */
UNOPENED_TEST(step_that_fails_leaves_the_old_version, struct fixture *f)
{
	fixture_shell(f, stored_v1);
	fixture_shell(f, "CREATE TABLE failuresByPid(x)"); /* in the way of the step's last line */
	fixture_open_fails(f);
	fixture_expect(f, "PRAGMA user_version", "1");
	fixture_expect(f, "SELECT count(*) FROM sqlite_master WHERE name = 'failures'", "0");
	fixture_shell(f, "DROP TABLE failuresByPid");
	fixture_open(f);
	assert_int_equal(find_all(f)->n, 0);
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
