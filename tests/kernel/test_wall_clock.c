/* SPDX-License-Identifier: MIT */
/*
 * A clock that is set, as a machine that has slept shows itself, is told of.  The clock is
 * everybody's: this runs where PD_MAY_SET_CLOCK says that nobody else lives there.
 */
#include <time.h>

#include <event2/event.h>

#include "daemon/wall_clock.h"
#include "testing.h"

#define WAIT_S 20

static void count(void *user_data)
{
	++*(unsigned *)user_data;
}

static void set_clock_forward(int64_t by_s)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &t), 0);
	t.tv_sec += by_s;
	assert_int_equal(clock_settime(CLOCK_REALTIME, &t), 0);
}

/* Each time, not only the first. */
TEST(clock_that_is_set_is_told_of_each_time)
{
	struct event_base *loop = event_base_new();
	const struct timeval limit = { .tv_sec = WAIT_S };
	struct wall_clock *w;
	unsigned told = 0;

	if (!getenv("PD_MAY_SET_CLOCK"))
		skip();
	assert_int_equal(wall_clock_new(loop, count, &told, &w), 0);
	assert_int_equal(event_base_loop(loop, EVLOOP_NONBLOCK), 0);
	assert_int_equal(told, 0);
	for (unsigned n = 1; n <= 3; n++) {
		set_clock_forward(3600);
		event_base_loopexit(loop, &limit);
		while (told < n && !event_base_got_exit(loop))
			event_base_loop(loop, EVLOOP_ONCE);
		assert_int_equal(told, n);
	}
	set_clock_forward(-3 * 3600);
	wall_clock_free(w);
	event_base_free(loop);
}

TEST_MAIN(NULL, NULL)
