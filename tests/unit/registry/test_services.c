/* SPDX-License-Identifier: MIT */
/* Services as they are listed, counted, and given a status. */
#include "unit/registry/claims.h"

TEST_WITH(reads_that_were_begun_see_one_state_until_their_end, struct fixture *f)
{
	fixture_claim(f, "web", 0);
	registry_read_begin(f->registry);
	assert_null(fixture_service(f, "web").service.health_path);
	fixture_shell(f, "UPDATE services SET healthPath = '/x'");
	assert_null(fixture_service(f, "web").service.health_path);
	registry_read_end(f->registry);
	assert_non_null(fixture_service(f, "web").service.health_path);
}

/* A claim's status may be put right while services are listed. */
TEST_WITH(a_batch_ends_reads_that_were_begun, struct fixture *f)
{
	uint16_t port;

	registry_read_begin(f->registry);
	registry_read_begin(f->registry);
	port = fixture_claim(f, "web", 0);
	assert_int_equal(fixture_service(f, "web").service.port, port);
	registry_read_end(f->registry);
	fixture_begin(f);
	registry_read_begin(f->registry);
	registry_read_end(f->registry);
	assert_true(registry_in_batch(f->registry));
	fixture_commit(f);
}

TEST_WITH(services_are_listed_in_order_of_id, struct fixture *f)
{
	fixture_claim(f, "b:web", 0);
	fixture_claim(f, "a:web", 0);
	fixture_claim(f, "a", 0);
	fixture_claim(f, "a.b", 0);
	expect_ids(f, (struct service_filter){ .status = -1 }, "a a.b a:web b:web ");
}

TEST_WITH(filter_takes_pattern_port_and_status_together, struct fixture *f)
{
	fixture_claim(f, "a:web", 5000);
	fixture_claim(f, "a:api", 5001);
	fixture_claim(f, "ab:web", 5002);
	fixture_set_status(f, "a:api", SERVICE_GHOST);
	expect_ids(f, (struct service_filter){ .pattern = "a:*", .status = -1 }, "a:api a:web ");
	expect_ids(f, (struct service_filter){ .pattern = "*web", .status = -1 }, "a:web ab:web ");
	expect_ids(f, (struct service_filter){ .pattern = "a?:web", .status = -1 }, "ab:web ");
	expect_ids(f, (struct service_filter){ .pattern = "a:web", .status = -1 }, "a:web ");
	expect_ids(f, (struct service_filter){ .pattern = "a", .status = -1 }, "");
	expect_ids(f, (struct service_filter){ .port = 5001, .status = -1 }, "a:api ");
	expect_ids(f, (struct service_filter){ .status = SERVICE_GHOST }, "a:api ");
	expect_ids(f, (struct service_filter){ .port = 5001, .status = SERVICE_ACTIVE }, "");
	expect_ids(f, (struct service_filter){ .pattern = "a:w*", .port = 5001, .status = -1 }, "");
}

TEST_WITH(a_walk_begins_behind_the_id_that_is_named, struct fixture *f)
{
	fixture_shell(f, "INSERT INTO services(id, port) VALUES('a', 1), ('a-b', 2), ('a:b', 3), "
			 "('b', 4), ('b.', 5), ('bb', 6), ('c', 7)");
	expect_ids(f, (struct service_filter){ .status = -1, .after = "" }, "a a-b a:b b b. bb c ");
	expect_ids(f, (struct service_filter){ .status = -1, .after = "a" }, "a-b a:b b b. bb c ");
	expect_ids(f, (struct service_filter){ .status = -1, .after = "az" }, "b b. bb c ");
	expect_ids(f, (struct service_filter){ .pattern = "b*", .status = -1, .after = "a" },
		   "b b. bb ");
	expect_ids(f, (struct service_filter){ .pattern = "b*", .status = -1, .after = "b." },
		   "bb ");
	expect_ids(f, (struct service_filter){ .pattern = "b", .status = -1, .after = "b" }, "");
}

TEST_WITH(visit_may_stop_the_walk, struct fixture *f)
{
	struct id_list list = { .stop_after = 1 };
	struct service_filter all = { .status = -1 };

	fixture_claim(f, "a", 0);
	fixture_claim(f, "b", 0);
	assert_int_equal(registry_for_each_service(f->registry, &all, append_id, &list), 0);
	assert_string_equal(list.text, "a ");
}

struct nested {
	struct registry *registry;
	int visits;
};

static bool count_nested(const struct service *service, void *user_data)
{
	static const struct service_filter all = { .status = -1 };
	struct nested *nested = user_data;
	struct id_list inner = { .stop_after = -1 };

	assert_int_equal(registry_for_each_service(nested->registry, &all, append_id, &inner), 0);
	assert_string_equal(inner.text, "a b c ");
	nested->visits++;
	return true;
}

TEST_WITH(visit_may_ask_the_same_question_again, struct fixture *f)
{
	struct nested nested = { .registry = f->registry };
	struct service_filter all = { .status = -1 };

	fixture_claim(f, "a", 0);
	fixture_claim(f, "b", 0);
	fixture_claim(f, "c", 0);
	assert_int_equal(registry_for_each_service(f->registry, &all, count_nested, &nested), 0);
	assert_int_equal(nested.visits, 3);
}

TEST_WITH(counts_are_those_of_the_rows_that_are_shown, struct fixture *f)
{
	int64_t counts[_SERVICE_STATUS_MAX];

	fixture_claim(f, "a", 0);
	fixture_claim(f, "b", 0);
	fixture_shell(f, "INSERT INTO services(id, port, status) VALUES('c', 70000, 'ghost'), "
			 "('d', 4100, 'ghost'), ('e', 4101, 'strange')");
	assert_int_equal(registry_count_services(f->registry, counts), 0);
	assert_int_equal(counts[SERVICE_CLAIMED], 3);
	assert_int_equal(counts[SERVICE_GHOST], 1);
	assert_int_equal(counts[SERVICE_ACTIVE], 0);
}

/* The second count is the index's, the third looks at the rows again. */
TEST_WITH(counts_follow_our_writes_and_those_of_others, struct fixture *f)
{
	int64_t counts[_SERVICE_STATUS_MAX];

	fixture_claim(f, "a", 0);
	assert_int_equal(registry_count_services(f->registry, counts), 0);
	assert_int_equal(counts[SERVICE_CLAIMED], 1);
	fixture_claim(f, "b", 0);
	fixture_set_status(f, "a", SERVICE_GHOST);
	assert_int_equal(registry_count_services(f->registry, counts), 0);
	assert_int_equal(counts[SERVICE_CLAIMED], 1);
	assert_int_equal(counts[SERVICE_GHOST], 1);
	fixture_shell(f, "INSERT INTO services(id, port, status) VALUES('no name', 4100, 'ghost'), "
			 "(NULL, 4101, 'ghost'), ('c', 4102, 'strange')");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(registry_count_services(f->registry, counts), 0);
		assert_int_equal(counts[SERVICE_CLAIMED], 2);
		assert_int_equal(counts[SERVICE_GHOST], 1);
	}
}

TEST_WITH(status_without_touch_leaves_the_time, struct fixture *f)
{
	fixture_claim(f, "a", 0);
	assert_in_batch(
		f, registry_set_status(f->registry, "a", SERVICE_STALE, false, FIXTURE_NOW + 50),
		0);
	assert_int_equal(fixture_service(f, "a").service.updated_at, FIXTURE_NOW);
	assert_int_equal(fixture_service(f, "a").service.status, SERVICE_STALE);
}

TEST_WITH(status_of_nothing_says_no, struct fixture *f)
{
	assert_in_batch(f, registry_set_status(f->registry, "a", SERVICE_STALE, true, 1),
			OUTCOME_NO);
}

TEST(status_names_are_read_back)
{
	for (int s = 0; s < _SERVICE_STATUS_MAX; s++)
		assert_int_equal(service_status_of_name(service_status_name(s)), s);
	assert_int_equal(service_status_of_name("dead"), -1);
}

TEST_WITH(last_alive_is_what_was_marked, struct fixture *f)
{
	int64_t at = -1;

	assert_int_equal(registry_last_alive(f->registry, &at), 0);
	assert_int_equal(at, 0);
	assert_in_batch(f, registry_mark_alive(f->registry, FIXTURE_NOW), 0);
	fixture_reopen(f);
	assert_int_equal(registry_last_alive(f->registry, &at), 0);
	assert_int_equal(at, FIXTURE_NOW);
}

TEST_WITH(held_locks_are_counted, struct fixture *f)
{
	int64_t count = -1;

	fixture_shell(f, "INSERT INTO locks(name, holder, acquiredAt, ttl) VALUES"
			 "('held', 'a', 100, 500), ('ever', 'a', 100, NULL), ('free', NULL, 1, 1), "
			 "('emptied', '', 'x', 9223372036854775807)");
	assert_int_equal(registry_count_locks(f->registry, &count), 0);
	assert_int_equal(count, 2);
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
