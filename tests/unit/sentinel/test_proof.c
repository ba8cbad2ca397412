/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sentinel/backend.h"
#include "testing.h"

#define GONE_WITHIN_MS 20000

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);

/* The process that proves dies before it signals its child, whose pid it tells here first. */
static int dies_first = -1;

int __wrap_kill(pid_t pid, int sig)
{
	if (dies_first < 0)
		return __real_kill(pid, sig);
	if (write(dies_first, &pid, sizeof(pid)) == sizeof(pid))
		raise(SIGKILL);
	_exit(EXIT_FAILURE);
}

TEST(child_of_a_proof_ends_with_who_proves)
{
	int status, ends[2];
	pid_t prover, child;
	struct pollfd gone;
	bool is_gone;

	assert_int_equal(pipe(ends), 0);
	prover = fork();
	assert_true(prover >= 0);
	if (prover == 0) {
		dies_first = ends[1];
		proof_run_child(&child);
		_exit(EXIT_FAILURE);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(prover, &status, 0), prover);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* the child has the other end of the pipe, until it is gone */
	gone = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	is_gone = poll(&gone, 1, GONE_WITHIN_MS) == 1;
	if (!is_gone)
		__real_kill(child, SIGKILL);
	close(ends[0]);
	assert_true(is_gone);
}

TEST_MAIN(NULL, NULL)
