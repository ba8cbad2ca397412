/* SPDX-License-Identifier: MIT */
#include "base/quota.h"
#include "testing.h"

enum { OWN = 900, ANNE = 1000, BERT = 1001, CARL = 1002 };

static struct quota *quota;

static int set_up(void **state)
{
	return quota_new(OWN, &quota);
}

static int tear_down(void **state)
{
	quota_free(quota);
	return 0;
}

TEST(a_user_gets_what_a_user_may_have_and_no_more)
{
	uint64_t most = quota_limit(QUOTA_CONNECTIONS)->per_user;

	for (uint64_t i = 0; i < most; i++)
		assert_int_equal(quota_charge(quota, ANNE, QUOTA_CONNECTIONS, 1), 0);
	assert_int_equal(quota_charge(quota, ANNE, QUOTA_CONNECTIONS, 1), QUOTA_OVER_USER);
	assert_int_equal(quota_used(quota, ANNE, QUOTA_CONNECTIONS), most);
	quota_give_back(quota, ANNE, QUOTA_CONNECTIONS, 1);
	assert_int_equal(quota_charge(quota, ANNE, QUOTA_CONNECTIONS, 1), 0);
}

TEST(what_one_user_has_is_not_counted_for_another)
{
	uint64_t most = quota_limit(QUOTA_CONNECTIONS)->per_user;

	assert_int_equal(quota_charge(quota, ANNE, QUOTA_CONNECTIONS, most), 0);
	assert_int_equal(quota_used(quota, BERT, QUOTA_CONNECTIONS), 0);
	assert_int_equal(quota_charge(quota, BERT, QUOTA_CONNECTIONS, 1), 0);
	assert_int_equal(quota_used_by_all(quota, QUOTA_CONNECTIONS), most + 1);
}

TEST(users_together_leave_what_is_kept_for_root_and_the_daemon)
{
	const struct quota_limit *limit = quota_limit(QUOTA_CONNECTIONS);
	uint64_t free = limit->machine - limit->reserved;

	assert_int_equal(quota_charge(quota, ANNE, QUOTA_CONNECTIONS, free / 2), 0);
	assert_int_equal(quota_charge(quota, BERT, QUOTA_CONNECTIONS, free - free / 2), 0);
	assert_int_equal(quota_charge(quota, CARL, QUOTA_CONNECTIONS, 1), QUOTA_OVER_MACHINE);
	assert_int_equal(quota_charge(quota, 0, QUOTA_CONNECTIONS, 1), 0);
	assert_int_equal(quota_charge(quota, OWN, QUOTA_CONNECTIONS, limit->reserved - 1), 0);
	assert_int_equal(quota_charge(quota, 0, QUOTA_CONNECTIONS, 1), QUOTA_OVER_MACHINE);
}

TEST(nothing_is_charged_when_it_is_refused)
{
	const struct quota_limit *limit = quota_limit(QUOTA_CONNECTIONS);

	assert_int_equal(quota_charge(quota, ANNE, QUOTA_CONNECTIONS, limit->per_user + 1),
			 QUOTA_OVER_USER);
	assert_int_equal(quota_charge(quota, ANNE, QUOTA_CONNECTIONS, UINT64_MAX), QUOTA_OVER_USER);
	assert_int_equal(quota_charge(quota, 0, QUOTA_CONNECTIONS, UINT64_MAX), QUOTA_OVER_MACHINE);
	assert_int_equal(quota_used_by_all(quota, QUOTA_CONNECTIONS), 0);
}

TEST(what_is_there_already_is_charged_over_any_limit_and_refuses_the_next)
{
	uint64_t many = quota_limit(QUOTA_LOCKS_HELD)->machine + 7;

	assert_int_equal(quota_charge_existing(quota, ANNE, QUOTA_LOCKS_HELD, many), 0);
	assert_int_equal(quota_used(quota, ANNE, QUOTA_LOCKS_HELD), many);
	assert_int_equal(quota_charge(quota, ANNE, QUOTA_LOCKS_HELD, 1), QUOTA_OVER_USER);
	assert_int_equal(quota_charge(quota, BERT, QUOTA_LOCKS_HELD, 1), QUOTA_OVER_MACHINE);
	quota_give_back(quota, ANNE, QUOTA_LOCKS_HELD, many);
	assert_int_equal(quota_charge(quota, BERT, QUOTA_LOCKS_HELD, 1), 0);
}

TEST_ALONE(rows_that_the_database_counts_are_judged_by_the_same_table)
{
	const struct quota_limit *limit = quota_limit(QUOTA_SESSIONS_ACTIVE);

	assert_true(quota_exempts(0, OWN) && quota_exempts(OWN, OWN) && !quota_exempts(ANNE, OWN));
	assert_int_equal(quota_judge(QUOTA_SESSIONS_ACTIVE, false, limit->per_user - 1, 300, 1), 0);
	assert_int_equal(quota_judge(QUOTA_SESSIONS_ACTIVE, false, limit->per_user, 300, 1),
			 QUOTA_OVER_USER);
	assert_int_equal(quota_judge(QUOTA_SESSIONS_ACTIVE, true, limit->per_user, 300, 1), 0);
	assert_int_equal(
		quota_judge(QUOTA_SESSIONS_ACTIVE, false, 1, limit->machine - limit->reserved, 1),
		QUOTA_OVER_MACHINE);
	assert_int_equal(quota_judge(QUOTA_SESSIONS_ACTIVE, true, 1, limit->machine, 1),
			 QUOTA_OVER_MACHINE);
}

/* --- few descriptors --- */

TEST(descriptors_that_are_enough_change_no_limit_and_one_less_does)
{
	for (int kind = 0; kind < _QUOTA_MAX; kind++)
		assert_memory_equal(quota_limit_of(quota, kind), quota_limit(kind),
				    sizeof(struct quota_limit));
	quota_divide_descriptors(quota, QUOTA_DESCRIPTORS_WANTED);
	for (int kind = 0; kind < _QUOTA_MAX; kind++)
		assert_memory_equal(quota_limit_of(quota, kind), quota_limit(kind),
				    sizeof(struct quota_limit));
	quota_divide_descriptors(quota, QUOTA_DESCRIPTORS_WANTED - 1);
	assert_true(quota_limit_of(quota, QUOTA_HEALTH_RUNNING)->machine <
		    quota_limit(QUOTA_HEALTH_RUNNING)->machine);
}

/* Callers that are known by a descriptor, and those that are to be refused, are a share as well. */
static uint64_t given_away(const struct quota *q)
{
	uint64_t connections = quota_limit_of(q, QUOTA_CONNECTIONS)->machine;

	return connections + connections / 8 + connections / 4 +
	       quota_limit_of(q, QUOTA_PROCESS_FDS)->machine +
	       quota_limit_of(q, QUOTA_HEALTH_RUNNING)->machine;
}

TEST(no_more_descriptors_are_given_away_than_there_are)
{
	for (uint64_t left = 32; left < 2 * QUOTA_DESCRIPTORS_WANTED; left++) {
		struct quota *q;

		assert_int_equal(quota_new(OWN, &q), 0);
		quota_divide_descriptors(q, left);
		assert_in_range(given_away(q), 1, left);
		quota_free(q);
	}
}

TEST(of_few_descriptors_each_user_and_root_get_some)
{
	const enum quota_kind kinds[] = { QUOTA_CONNECTIONS, QUOTA_PROCESS_FDS,
					  QUOTA_LOCK_WAITERS };

	quota_divide_descriptors(quota, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(quota_charge(quota, ANNE, kinds[i], 2), 0);
		assert_int_equal(quota_charge(quota, ANNE, kinds[i], 1), QUOTA_OVER_USER);
		assert_int_equal(quota_charge(quota, BERT, kinds[i], 1), 0);
		assert_int_equal(quota_charge(quota, CARL, kinds[i], 1), QUOTA_OVER_MACHINE);
		assert_int_equal(quota_charge(quota, 0, kinds[i], 1), 0);
	}
}

TEST(refusal_names_the_limit_that_is_in_force)
{
	char text[QUOTA_REFUSAL_SIZE];

	quota_divide_descriptors(quota, 0);
	quota_refusal(quota_limit_of(quota, QUOTA_CONNECTIONS), QUOTA_OVER_USER, text,
		      sizeof(text));
	assert_string_equal(text, "you have 2 open connections, the limit of a user; close one "
				  "and try again");
}

TEST_ALONE(every_limit_says_what_it_is_for_and_how_to_get_out)
{
	char text[QUOTA_REFUSAL_SIZE];

	for (int kind = 0; kind < _QUOTA_MAX; kind++) {
		const struct quota_limit *limit = quota_limit(kind);

		assert_true(limit->per_user > 0);
		assert_true(strlen(limit->reason) > 0);
		assert_true(!limit->machine || limit->machine > limit->reserved);
		assert_true(!limit->machine || limit->per_user <= limit->machine - limit->reserved);
		if (limit->excess != QUOTA_REFUSES)
			continue;
		quota_refusal(limit, QUOTA_OVER_USER, text, sizeof(text));
		assert_non_null(strstr(text, limit->name));
		assert_non_null(strstr(text, limit->way_out));
		assert_true(strlen(text) < sizeof(text) - 1);
	}
}

EACH_TEST_MAIN(set_up, tear_down)
