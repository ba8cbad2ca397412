/* SPDX-License-Identifier: MIT */
/* A thread with a descriptor table of its own: /proc/PID/fd does not show the socket. */
#include <pthread.h>

#include "case.h"

static void *listen_privately(void *scene)
{
	need(unshare(CLONE_FILES) == 0);
	holder_listen(scene);
	tell(scene, 0);
	return NULL;
}

static void run_threads(struct scene *s)
{
	pthread_t thread;

	need(pthread_create(&thread, NULL, listen_privately, s) == 0);
	for (;;)
		pause();
}

const struct scenario scenario = {
	.verdict = "thread_private_fds",
	.run_holder = run_threads,
	.remedy = stop_holder,
};
