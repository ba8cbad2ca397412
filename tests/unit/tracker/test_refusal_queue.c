/* SPDX-License-Identifier: MIT */
#include "base/quota.h"
#include "testing.h"
#include "tracker/refusal_queue.h"

enum { OWN = 900, ANNE = 1000, BERT = 1001, CARL = 1002 };

#define MANY 2000
#define KB   1024

static struct quota *quota;
static struct refusal_queue *queue;
static size_t dropped;
static int refusals[65536]; /* what waits is nothing but an address here */

static void on_drop(void *refusal, void *user_data)
{
	assert_non_null(refusal);
	dropped++;
}

static int set_up(void **state)
{
	dropped = 0;
	return quota_new(OWN, &quota) ?: refusal_queue_new(quota, on_drop, NULL, &queue);
}

static int tear_down(void **state)
{
	refusal_queue_free(queue);
	quota_free(quota);
	return 0;
}

static void *put(uid_t uid, pid_t pid, uint16_t port, int number)
{
	const struct refusal_key key = { uid, { .pid = pid, .start_ticks = 7 }, port };

	assert_int_equal(refusal_queue_put(queue, &key, 4 * KB, &refusals[number]), 0);
	return &refusals[number];
}

/* How many are taken before this one comes. */
static size_t turns_until(const void *refusal)
{
	size_t n = 0;
	void *taken;

	while ((taken = refusal_queue_take(queue)) != refusal) {
		assert_non_null(taken);
		n++;
	}
	return n;
}

TEST(those_of_one_program_come_in_their_order)
{
	void *first = put(ANNE, 10, 3000, 1), *second = put(ANNE, 10, 3000, 2);

	assert_ptr_equal(refusal_queue_take(queue), first);
	assert_ptr_equal(refusal_queue_take(queue), second);
	assert_null(refusal_queue_take(queue));
	assert_int_equal(quota_used_by_all(quota, QUOTA_REFUSALS_WAITING), 0);
}

TEST(users_take_turns)
{
	for (int i = 0; i < 500; i++)
		put(ANNE, 10 + i, (uint16_t)(3000 + i), i);
	assert_in_range(turns_until(put(BERT, 9, 4000, 1000)), 0, 1);
}

TEST(program_in_a_loop_does_not_keep_its_users_others_waiting)
{
	for (int i = 0; i < 500; i++)
		put(ANNE, 10, (uint16_t)(3000 + i), i);
	assert_in_range(turns_until(put(ANNE, 11, 4000, 1000)), 0, 1);
}

TEST(port_that_everybody_wants_does_not_keep_others_waiting)
{
	for (int i = 0; i < 500; i++)
		put(ANNE, 10 + i, 3000, i);
	refusal_queue_take(queue);
	assert_in_range(turns_until(put(ANNE, 9, 4000, 1000)), 0, 1);
}

TEST(who_has_waited_is_not_passed_for_ever)
{
	void *last = NULL;
	int n = 0;

	for (int i = 0; i < 10; i++)
		last = put(ANNE, 10, 3000, n++);
	for (int i = 0; i < 20; i++) {
		put(ANNE, 100 + i, (uint16_t)(4000 + i), n++); /* ever another program */
		if (refusal_queue_take(queue) == last)
			return;
		if (refusal_queue_take(queue) == last)
			return;
	}
	fail_msg("the tenth refusal of a program did not come in forty turns");
}

TEST(user_who_has_all_loses_the_one_that_comes_last)
{
	size_t n;
	void *other;

	for (int i = 0; i < MANY; i++)
		put(ANNE, 10, 3000, i);
	n = refusal_queue_count(queue);
	assert_in_range(n, 1, MANY - 1);
	assert_int_equal(dropped, MANY - n);
	other = put(ANNE, 11, 4000, MANY);
	assert_int_equal(refusal_queue_count(queue), n);
	assert_in_range(turns_until(other), 0, 1);
	assert_in_range(quota_used_by_all(quota, QUOTA_REFUSALS_WAITING), 0,
			quota_limit(QUOTA_REFUSALS_WAITING)->per_user);
}

TEST(full_machine_makes_room_from_who_has_most)
{
	int n = 0;
	size_t before;
	void *mine;

	for (uid_t uid = 2000; uid < 2010; uid++)
		for (int i = 0; i < MANY; i++)
			put(uid, 10 + i, 3000, n++);
	before = refusal_queue_count(queue);
	assert_in_range(quota_used_by_all(quota, QUOTA_REFUSALS_WAITING), 0,
			quota_limit(QUOTA_REFUSALS_WAITING)->machine);
	mine = put(BERT, 9, 4000, n++);
	assert_int_equal(refusal_queue_count(queue), before);
	assert_in_range(turns_until(mine), 0, 11);
}

/* A user namespace brings as many. */
TEST(crowd_of_users_is_bounded)
{
	for (int i = 0; i < 65536; i++)
		put((uid_t)(100000 + i), 10 + i, 3000, i);
	assert_in_range(quota_used_by_all(quota, QUOTA_REFUSALS_WAITING), 0,
			quota_limit(QUOTA_REFUSALS_WAITING)->machine);
	assert_int_equal(refusal_queue_count(queue) + dropped, 65536);
	put(0, 9, 4000, 0); /* for root a part is kept */
	assert_ptr_equal(refusal_queue_take_newest(queue, 0, 9, 0), &refusals[0]);
}

TEST(who_asks_gets_the_newest_that_fits)
{
	void *older = put(ANNE, 10, 3000, 1), *newer = put(ANNE, 10, 3001, 2);
	void *other = put(BERT, 10, 3000, 3);

	assert_int_equal(refusal_queue_count_of(queue, ANNE, 10, 0), 2);
	assert_null(refusal_queue_take_newest(queue, CARL, 0, 0));
	assert_null(refusal_queue_take_newest(queue, ANNE, 11, 0));
	assert_ptr_equal(refusal_queue_take_newest(queue, ANNE, 0, 3000), older);
	assert_ptr_equal(refusal_queue_take_newest(queue, PROCESS_UID_UNKNOWN, 0, 0), other);
	assert_ptr_equal(refusal_queue_take_newest(queue, PROCESS_UID_UNKNOWN, 0, 0), newer);
	assert_int_equal(refusal_queue_count(queue), 0);
}

TEST(what_waits_at_the_end_is_dropped_and_given_back)
{
	struct refusal_queue *own;
	const struct refusal_key key = { ANNE, { .pid = 10, .start_ticks = 7 }, 3000 };

	assert_int_equal(refusal_queue_new(quota, on_drop, NULL, &own), 0);
	assert_int_equal(refusal_queue_put(own, &key, 100, &refusals[0]), 0);
	refusal_queue_free(own);
	assert_int_equal(dropped, 1);
	assert_int_equal(quota_used(quota, ANNE, QUOTA_REFUSALS_WAITING), 0);
}

EACH_TEST_MAIN(set_up, tear_down)
