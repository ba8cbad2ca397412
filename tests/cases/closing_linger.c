/* SPDX-License-Identifier: MIT */
/* A thread's close() waits for data that the peer does not take (SO_LINGER). */
#include <pthread.h>
#include <sys/syscall.h>

#include "case.h"

static volatile pid_t closer;

static void *close_it(void *fd)
{
	closer = (pid_t)syscall(SYS_gettid);
	close(*(int *)fd);
	return NULL;
}

static bool sleeps_in_close(struct scene *s)
{
	return closer && sleeps_in(closer, SYS_close);
}

static void run_lingering(struct scene *s)
{
	int fd = serve_lingering(s);
	pthread_t thread;

	need(pthread_create(&thread, NULL, close_it, &fd) == 0);
	await(sleeps_in_close, s);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "closing_linger",
	.maybe_incomplete = true,
	.run_server = run_lingering,
	.remedy = kill_client,
};
