/* SPDX-License-Identifier: MIT */
/* The holder waits where no signal but SIGKILL reaches it: here in vfork(). */
#include <sys/syscall.h>

#include "case.h"

static int child_socket, child_told;

/* The child shares the memory of its parent until it is killed: no library call, no return. */
static void run_waiting(struct scene *s)
{
	int value = 0;

	child_socket = holder_listen(s);
	child_told = s->tell_fd;
	if (vfork() == 0) {
		syscall(SYS_close, child_socket);
		value = (int)syscall(SYS_getpid);
		syscall(SYS_write, child_told, &value, sizeof(value));
		for (;;)
			syscall(SYS_pause);
	}
	_exit(0);
}

static void end_the_wait(struct scene *s)
{
	need(kill(s->first.told, SIGKILL) == 0);
	actor_wait(&s->first);
}

const struct scenario scenario = {
	.verdict = "holder_uninterruptible",
	.run_holder = run_waiting,
	.remedy = end_the_wait,
};
