/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/quota.h"
#include "testing.h"
#include "tracker/refusal_shares.h"

enum { OWN = 900, ANNE = 1000, BERT = 1001 };

#define NOW 1000000

static struct refusal_shares *shares;

static int set_up(void **state)
{
	return refusal_shares_new(OWN, &shares);
}

static int tear_down(void **state)
{
	refusal_shares_free(shares);
	return 0;
}

static struct event refusal(uid_t uid, pid_t pid, uint16_t port)
{
	return (struct event){
		.kind = EVENT_FAIL,
		.actor = { .pid = pid, .start_ticks = 7 },
		.uid = uid,
		.port = port,
		.call = EVENT_CALL_BIND,
		.error = EADDRINUSE,
	};
}

static bool admit(uid_t uid, pid_t pid, uint16_t port, int64_t now)
{
	struct event e = refusal(uid, pid, port);
	unsigned repeated;

	return refusal_shares_admit(shares, &e, now, &repeated);
}

static unsigned per_user(void)
{
	return (unsigned)quota_limit(QUOTA_REFUSALS)->per_user;
}

/* Nobody is refused so often: each time another process and another port. */
static unsigned flood(uid_t uid, pid_t first, int64_t now)
{
	unsigned written = 0;

	for (int i = 0; i < 10000; i++)
		written += admit(uid, first + i, (uint16_t)(1 + i), now);
	return written;
}

TEST(first_refusal_is_written)
{
	struct event e = refusal(ANNE, 10, 3000);
	unsigned repeated = 99;

	assert_true(refusal_shares_admit(shares, &e, NOW, &repeated));
	assert_int_equal(repeated, 0);
}

TEST(repeated_refusal_is_one_row_with_a_count)
{
	struct event e = refusal(ANNE, 10, 3000);
	unsigned repeated;

	assert_true(refusal_shares_admit(shares, &e, NOW, &repeated));
	for (int i = 0; i < 41; i++)
		assert_false(
			refusal_shares_admit(shares, &e, NOW + i % REFUSALS_REPEAT_S, &repeated));
	assert_true(refusal_shares_admit(shares, &e, NOW + REFUSALS_REPEAT_S, &repeated));
	assert_int_equal(repeated, 41);
}

TEST(repetitions_that_the_kernel_left_out_are_counted)
{
	struct event e = refusal(ANNE, 10, 3000);
	unsigned repeated;

	assert_true(refusal_shares_admit(shares, &e, NOW, &repeated));
	e.left_out = 5000;
	assert_false(refusal_shares_admit(shares, &e, NOW + 1, &repeated));
	e.left_out = 300;
	assert_true(refusal_shares_admit(shares, &e, NOW + REFUSALS_REPEAT_S, &repeated));
	assert_int_equal(repeated, 5301);
}

TEST(another_port_process_or_errno_is_another_refusal)
{
	struct event e = refusal(ANNE, 10, 3000), port = refusal(ANNE, 10, 3001);
	struct event pid = refusal(ANNE, 11, 3000), error = refusal(ANNE, 10, 3000);
	struct event reused = refusal(ANNE, 10, 3000);
	unsigned repeated;

	error.error = EACCES;
	reused.actor.start_ticks = 8;
	assert_true(refusal_shares_admit(shares, &e, NOW, &repeated));
	assert_true(refusal_shares_admit(shares, &port, NOW, &repeated));
	assert_true(refusal_shares_admit(shares, &pid, NOW, &repeated));
	assert_true(refusal_shares_admit(shares, &error, NOW, &repeated));
	assert_true(refusal_shares_admit(shares, &reused, NOW, &repeated));
}

TEST(flood_of_a_user_stays_within_what_a_user_may_have)
{
	unsigned written = flood(ANNE, 10, NOW);

	assert_in_range(written, per_user() / 2, per_user());
	assert_int_equal(refusal_shares_dropped(shares), 10000 - written);
}

TEST(flood_of_one_user_takes_nothing_of_anothers)
{
	flood(ANNE, 10, NOW);
	for (int i = 0; i < 100; i++) {
		assert_true(admit(BERT, 20000 + i, (uint16_t)(3000 + i), NOW));
		flood(ANNE, 30000, NOW); /* it goes on */
	}
}

TEST(flood_takes_nothing_of_anothers_memory_of_repetitions)
{
	assert_true(admit(BERT, 10, 3000, NOW));
	flood(ANNE, 100, NOW);
	assert_false(admit(BERT, 10, 3000, NOW + 1));
}

TEST(process_that_runs_wild_leaves_its_users_others_a_share)
{
	for (int i = 0; i < 10000; i++)
		admit(ANNE, 10, (uint16_t)(1 + i), NOW);
	for (int i = 0; i < 100; i++)
		assert_true(admit(ANNE, 20 + i, (uint16_t)(20000 + i), NOW));
}

TEST(port_that_everybody_wants_leaves_other_ports_a_share)
{
	for (int i = 0; i < 10000; i++)
		admit(ANNE, 10 + i, 3000, NOW);
	for (int i = 0; i < 100; i++)
		assert_true(admit(ANNE, 20000 + i, (uint16_t)(4000 + i), NOW));
}

TEST(share_comes_back_with_time)
{
	flood(ANNE, 10, NOW);
	assert_in_range(flood(ANNE, 20000, NOW + 1), 1, quota_limit(QUOTA_REFUSALS)->per_user_s);
	assert_in_range(flood(ANNE, 40000, NOW + 1000), per_user() / 2, per_user());
}

TEST(clock_that_is_set_back_gives_nothing)
{
	unsigned written = 0;

	for (int i = 0; i < 10000; i++)
		written += admit(ANNE, 10 + i, (uint16_t)(1 + i), NOW - i);
	assert_in_range(written, 1, per_user());
}

/* A user namespace brings as many. */
TEST(crowd_of_users_is_bounded_and_leaves_root_its_part)
{
	const struct quota_limit *limit = quota_limit(QUOTA_REFUSALS);
	unsigned written = 0;

	for (unsigned i = 0; i < 65536; i++)
		written += admit(100000 + i, (pid_t)(10 + i), (uint16_t)i, NOW);
	assert_int_equal(written, limit->machine - limit->reserved);
	assert_true(admit(0, 10, 3000, NOW));
	assert_true(admit(OWN, 11, 3000, NOW));
}

EACH_TEST_MAIN(set_up, tear_down)
