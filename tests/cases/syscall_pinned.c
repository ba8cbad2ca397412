/* SPDX-License-Identifier: MIT */
/* One thread closed the descriptor while another sleeps in accept() on it. */
#include <pthread.h>
#include <sys/syscall.h>

#include "case.h"

static int listener;
static volatile pid_t sleeper;

/* Takes one connection and leaves it when the peer has: so nothing stays on the port. */
static void *accept_one(void *scene)
{
	char byte;
	int fd;

	sleeper = (pid_t)syscall(SYS_gettid);
	fd = accept(listener, NULL, NULL);
	need(fd >= 0);
	while (read(fd, &byte, 1) > 0)
		;
	close(fd);
	return NULL;
}

static bool sleeps_in_accept(struct scene *s)
{
	return sleeper && sleeps_in(sleeper, SYS_accept);
}

static void run_threads(struct scene *s)
{
	pthread_t thread;

	listener = holder_listen(s);
	need(pthread_create(&thread, NULL, accept_one, s) == 0);
	await(sleeps_in_accept, s);
	close(listener);
	tell(s, 0);
	close(connect_to(s->port));
	need(pthread_join(thread, NULL) == 0);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "syscall_pinned",
	.run_holder = run_threads,
	.remedy = let_holder_go_on,
};
