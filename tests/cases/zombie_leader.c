/* SPDX-License-Identifier: MIT */
/* The main thread has exited and another one lives: /proc/PID/fd is empty. */
#include <pthread.h>
#include <sys/syscall.h>

#include "case.h"

static void *go_on(void *scene)
{
	tell(scene, 0);
	return NULL;
}

static void run_and_lose_leader(struct scene *s)
{
	pthread_t thread;

	holder_listen(s);
	need(pthread_create(&thread, NULL, go_on, s) == 0);
	syscall(SYS_exit, 0); /* of this thread only */
}

static bool leader_is_gone(struct scene *s)
{
	char path[64], text[256];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", s->first.pid);
	read_file(path, text, sizeof(text));
	state = strrchr(text, ')');
	return state && state[2] == 'Z';
}

static void start_threads(struct scene *s)
{
	start_holder(s, run_and_lose_leader);
	await(leader_is_gone, s);
}

const struct scenario scenario = {
	.verdict = "zombie_leader",
	.set_up = start_threads,
	.remedy = stop_holder,
};
