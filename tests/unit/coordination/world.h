/* SPDX-License-Identifier: MIT */
/* Real processes that live until a test ends them, and how long a test waits for anything. */
#ifndef TESTS_COORDINATION_WORLD_H
#define TESTS_COORDINATION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/procfs.h"

#define DEADLINE_MS 20000 /* generous: sanitizers, emulated machines */

static inline int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A child that does nothing. */
static inline struct process_id child_new(void)
{
	struct process_id id;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_int_equal(procfs_identity(pid, &id), 0);
	return id;
}

static inline void child_kill(const struct process_id *id)
{
	assert_int_equal(kill(id->pid, SIGKILL), 0);
	assert_int_equal(waitpid(id->pid, NULL, 0), id->pid);
}

#endif
