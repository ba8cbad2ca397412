/* SPDX-License-Identifier: MIT */
/* Signals of our own at every point of a guard; one that got past it would end the test. */
#include <signal.h>

#include "cli/client/stop_guard.h"
#include "testing.h"

TEST(signal_between_two_waits_is_remembered)
{
	stop_guard_begin();
	assert_false(stop_guard_asked());
	assert_true(stop_guard_pause(0));
	raise(SIGINT);
	assert_true(stop_guard_asked());
	assert_false(stop_guard_pause(3600));
	assert_true(stop_guard_asked());
	assert_true(stop_guard_end());
}

TEST(signal_in_an_inner_guard_is_known_to_the_outer_one)
{
	stop_guard_begin();
	stop_guard_begin();
	raise(SIGTERM);
	assert_true(stop_guard_end());
	assert_true(stop_guard_asked());
	stop_guard_begin();
	assert_true(stop_guard_asked());
	assert_true(stop_guard_end());
	assert_true(stop_guard_end());
}

TEST(inner_guard_gives_no_signal_back)
{
	stop_guard_begin();
	stop_guard_begin();
	assert_false(stop_guard_end());
	raise(SIGINT);
	assert_true(stop_guard_end());
}

TEST(guard_begins_with_nothing_asked)
{
	stop_guard_begin();
	raise(SIGINT);
	assert_true(stop_guard_end());
	assert_false(stop_guard_asked());
	stop_guard_begin();
	assert_false(stop_guard_asked());
	assert_false(stop_guard_end());
}

TEST(guard_leaves_the_signals_as_they_were)
{
	struct sigaction action;
	sigset_t mask;

	assert_null(stop_guard_mask());
	stop_guard_begin();
	assert_non_null(stop_guard_mask());
	stop_guard_end();
	assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
	assert_ptr_equal(action.sa_handler, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, SIGINT), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
	assert_null(stop_guard_mask());
}

/* Whoever runs the tests may ignore or block them. */
static int set_up(void **state)
{
	static const int numbers[] = { SIGINT, SIGTERM };
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < 2; i++) {
		sigaddset(&mask, numbers[i]);
		signal(numbers[i], SIG_DFL);
	}
	return sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

TEST_MAIN(set_up, NULL)
