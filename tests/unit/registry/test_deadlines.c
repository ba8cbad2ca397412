/* SPDX-License-Identifier: MIT */
/* Claims that change by time alone: which are due, and when the next one is. */
#include "unit/registry/claims.h"

static int64_t deadline(struct fixture *f)
{
	int64_t at = -1;

	assert_int_equal(registry_next_deadline(f->registry, 1800, &at), 0);
	return at;
}

TEST_WITH(deadline_is_never_without_services, struct fixture *f)
{
	assert_true(deadline(f) == INT64_MAX);
}

TEST_WITH(deadline_is_the_first_moment_at_which_a_claim_is_older_than_stale, struct fixture *f)
{
	fixture_claim(f, "a", 0);
	assert_int_equal(deadline(f), FIXTURE_NOW + 1801);
}

TEST_WITH(deadline_is_an_expiry_that_comes_first, struct fixture *f)
{
	struct claim_request request = fixture_request("b");
	struct claim_result result;

	fixture_claim(f, "a", 0);
	request.ttl_s = 60;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_int_equal(deadline(f), FIXTURE_NOW + 60);
}

TEST_WITH(active_and_stale_services_have_no_deadline, struct fixture *f)
{
	fixture_claim(f, "a", 0);
	fixture_claim(f, "b", 0);
	fixture_set_status(f, "a", SERVICE_ACTIVE);
	fixture_set_status(f, "b", SERVICE_STALE);
	assert_true(deadline(f) == INT64_MAX);
}

TEST_WITH(row_that_nobody_sees_has_no_deadline, struct fixture *f)
{
	fixture_shell(f, "INSERT INTO services(id, port, updatedAt, expiresAt, status) "
			 "VALUES('bad name', 4100, 1, 1, 'claimed'), ('b', 70000, 1, 1, 'ghost')");
	assert_true(deadline(f) == INT64_MAX);
}

TEST_WITH(claim_that_expired_in_use_has_no_deadline, struct fixture *f)
{
	struct claim_request request = fixture_request("used");
	struct claim_result result;

	request.ttl_s = 60;
	assert_int_equal(claim(f, &request, &result), 0);
	request.id = "next";
	request.ttl_s = 90;
	assert_int_equal(claim(f, &request, &result), 0);
	fixture_set_status(f, "used", SERVICE_ACTIVE);
	assert_int_equal(deadline(f), FIXTURE_NOW + 90);
}

/* --- what is due --- */

static void expect_due(struct fixture *f,
		       int (*for_each)(struct registry *, int64_t, service_visit, void *),
		       int64_t moment, int most, const char *expected)
{
	struct id_list list = { .stop_after = most };

	assert_int_equal(for_each(f->registry, moment, append_id, &list), 0);
	assert_string_equal(list.text, expected);
}

TEST_WITH(silent_are_claimed_and_ghosts_the_oldest_first, struct fixture *f)
{
	fixture_shell(f, "INSERT INTO services(id, port, updatedAt, status) VALUES"
			 "('young', 4001, 301, 'claimed'), ('b', 4002, 300, 'claimed'), "
			 "('a', 4003, 200, 'claimed'), ('g', 4004, 100, 'ghost'), "
			 "('active', 4005, 1, 'active'), ('stale', 4006, 1, 'stale'), "
			 "('bad name', 4007, 1, 'ghost')");
	expect_due(f, registry_for_each_silent, 300, 9, "a b g ");
	expect_due(f, registry_for_each_silent, 300, 2, "a b ");
	expect_due(f, registry_for_each_silent, 300, 1, "a ");
	expect_due(f, registry_for_each_silent, 50, 9, "");
}

TEST_WITH(expired_are_those_whose_time_is_over_and_that_nothing_serves, struct fixture *f)
{
	fixture_shell(f, "INSERT INTO services(id, port, expiresAt, status) VALUES"
			 "('later', 4001, 301, 'claimed'), ('b', 4002, 300, 'claimed'), "
			 "('a', 4003, 200, 'stale'), ('used', 4004, 100, 'active'), "
			 "('heir', 4005, 100, 'orphaned'), ('never', 4006, 0, 'claimed'), "
			 "('beyond', 4007, 999999999999999, 'claimed')");
	expect_due(f, registry_for_each_expired, 300, 9, "a b ");
	expect_due(f, registry_for_each_expired, 300, 1, "a ");
	expect_due(f, registry_for_each_expired, 100, 9, "");
	expect_due(f, registry_for_each_expired, INT64_MAX, 9, "a b later ");
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
