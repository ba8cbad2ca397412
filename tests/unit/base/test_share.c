/* SPDX-License-Identifier: MIT */
#include "base/share.h"
#include "testing.h"

#define SIZE 100

/* Takes one each in turns until nobody gets any more. */
static void take_all(struct share *all, struct share *own, size_t n)
{
	bool any = true;

	while (any) {
		any = false;
		for (size_t i = 0; i < n; i++) {
			if (!share_allows(&own[i], all, SIZE))
				continue;
			own[i].used++;
			all->used++;
			any = true;
		}
	}
}

TEST(who_asks_alone_gets_half_of_it)
{
	struct share all = { 0 }, own[1] = { 0 };

	take_all(&all, own, 1);
	assert_int_equal(own[0].used, SIZE / 2);
}

TEST(many_who_ask_leave_as_much_for_the_next)
{
	struct share all = { 0 }, own[4] = { 0 };

	take_all(&all, own, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(own[i].used, SIZE / 5);
	assert_int_equal(all.used, SIZE - SIZE / 5);
}

TEST(what_was_used_comes_back_with_time_and_no_more_than_that)
{
	struct share s = { .at = 1000, .used = 50 };

	share_settle(&s, 1003, 10);
	assert_int_equal(s.used, 20);
	share_settle(&s, INT64_MAX, 10);
	assert_int_equal(s.used, 0);
}

TEST(clock_that_is_set_back_gives_nothing)
{
	struct share s = { .at = 1000, .used = 50 };

	share_settle(&s, 900, 10);
	assert_int_equal(s.used, 50);
	share_settle(&s, 901, 10);
	assert_int_equal(s.used, 40);
}

TEST_MAIN(NULL, NULL)
