/* SPDX-License-Identifier: MIT */
/*
 * loops KIND COUNT: nanoseconds for one turn of a loop of system calls, as a rule the mean.
 *
 *	listen	socket, bind to port 0 on 127.0.0.1, listen, close
 *	bind	the same without listen
 *	call	getppid(), which has nothing to do with sockets
 *	fork	vfork, a child that ends at once, wait, all on one processor: the fastest turn of
 *all
 */
#include <arpa/inet.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

static void take_port(bool listens)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		err(1, "bind");
	if (listens && listen(fd, 16))
		err(1, "listen");
	close(fd);
}

static void have_child(void)
{
	pid_t pid = vfork(); /* copies no memory, which would take most of the time */

	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		err(1, "vfork");
}

/* A child on the other processor takes as much longer as is looked for, or as much less. */
static void stay_on_this_processor(void)
{
	cpu_set_t this;

	CPU_ZERO(&this);
	CPU_SET(sched_getcpu(), &this);
	if (sched_setaffinity(0, sizeof(this), &this))
		err(1, "sched_setaffinity");
}

static int64_t fastest_child(long count)
{
	int64_t least = INT64_MAX;

	stay_on_this_processor();
	for (long i = 0; i < count; i++) {
		int64_t began = now_ns(), took;

		have_child();
		took = now_ns() - began;
		if (took < least)
			least = took;
	}
	return least;
}

int main(int argc, char **argv)
{
	const char *kind = argc == 3 ? argv[1] : "";
	long count = argc == 3 ? atol(argv[2]) : 0;
	int64_t began;

	if (count <= 0 || (strcmp(kind, "listen") && strcmp(kind, "bind") && strcmp(kind, "call") &&
			   strcmp(kind, "fork")))
		errx(2, "usage: loops listen|bind|call|fork COUNT");
	if (*kind == 'f') {
		printf("%.1f\n", (double)fastest_child(count));
		return 0;
	}
	began = now_ns();
	for (long i = 0; i < count; i++) {
		if (*kind == 'c')
			syscall(SYS_getppid);
		else
			take_port(*kind == 'l');
	}
	printf("%.1f\n", (double)(now_ns() - began) / (double)count);
	return 0;
}
