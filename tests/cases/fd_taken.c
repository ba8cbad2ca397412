/* SPDX-License-Identifier: MIT */
/* A process took the listening socket out of its maker (pidfd_getfd), which then closed its own. */
#include <sys/syscall.h>

#include "case.h"

static void run_maker(struct scene *s)
{
	int fd = holder_listen(s);

	tell(s, fd);
	close(fd);
	tell(s, 0);
}

static void run_taker(struct scene *s)
{
	int process = (int)syscall(SYS_pidfd_open, s->second.pid, 0);

	need(process >= 0);
	need(syscall(SYS_pidfd_getfd, process, s->second.told, 0) >= 0);
	tell(s, 0);
}

static void take(struct scene *s)
{
	s->second = actor_start(s, "maker", run_maker);
	s->first = actor_start(s, "taker", run_taker);
	must_be_named(s, s->first.pid);
	actor_step(&s->second);
}

const struct scenario scenario = {
	.verdict = "fd_passed",
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.set_up = take,
	.remedy = stop_holder,
};
