/* SPDX-License-Identifier: MIT */
#include "cli/client/stop_guard.h"

#include <poll.h>
#include <stddef.h>

#include "base/cleanup.h"

static const int stop_signals[] = { SIGINT, SIGTERM };

static volatile sig_atomic_t stop_asked;

static struct {
	int depth;
	sigset_t mask; /* before the guard: while something is waited for, and afterwards */
	struct sigaction actions[ARRAY_SIZE(stop_signals)]; /* before the guard */
} guard;

static void ask_to_stop(int signal_number)
{
	stop_asked = 1;
}

void stop_guard_begin(void)
{
	struct sigaction action = { .sa_handler = ask_to_stop };
	sigset_t blocked;

	if (guard.depth++)
		return;
	stop_asked = 0;
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
		sigaddset(&blocked, stop_signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &guard.mask);
	for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
		sigaction(stop_signals[i], &action, &guard.actions[i]);
}

bool stop_guard_end(void)
{
	bool asked = stop_guard_asked();

	if (--guard.depth)
		return asked;
	/* the mask first: a signal that is pending meets the guard's handler, and nobody dies */
	sigprocmask(SIG_SETMASK, &guard.mask, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
		sigaction(stop_signals[i], &guard.actions[i], NULL);
	return asked || stop_asked;
}

bool stop_guard_asked(void)
{
	sigset_t pending;

	if (!guard.depth)
		return false;
	/* a wait that finds something at once lets no signal in */
	sigpending(&pending);
	for (size_t i = 0; i < ARRAY_SIZE(stop_signals); i++)
		if (sigismember(&pending, stop_signals[i]))
			return true;
	return stop_asked;
}

const sigset_t *stop_guard_mask(void)
{
	return guard.depth ? &guard.mask : NULL;
}

bool stop_guard_pause(int64_t seconds)
{
	struct timespec wait = { .tv_sec = (time_t)seconds };

	/* another signal (SIGWINCH) only makes it shorter */
	if (!stop_guard_asked())
		ppoll(NULL, 0, &wait, stop_guard_mask());
	return !stop_guard_asked();
}
