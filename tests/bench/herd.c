/* SPDX-License-Identifier: MIT */
/*
 * herd PROCESSES DESCRIPTORS LISTENERS FIRST_PORT EACH [alone]: a busy machine to measure on.  Each
 * process holds its descriptors (files, event counters, socket pairs) and sleeps; the first
 * LISTENERS of them listen on EACH sockets, one port each from FIRST_PORT on; on the next address
 * of 127.0.0.0/8 when the range of ports is used up.  "alone": each in a network namespace of its
 * own, on the same ports.  Prints "ready" when all stand, and takes them with it when its input
 * ends.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORTS_MAX 6900 /* of one address: as many as the range of services has */

/* The n-th socket of the herd. */
static void listen_on(int port, int n)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)(port + n % PORTS_MAX)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(n / PORTS_MAX)),
	};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) || listen(fd, 16))
		err(1, "port %d", port + n % PORTS_MAX);
}

/* Two of five are a socket pair's ends, the others a file, an event counter and /dev/null. */
static void hold(int descriptors)
{
	for (int i = 0, pair[2]; i < descriptors; i++) {
		int made = 0;

		switch (i % 5) {
		case 0:
			made = socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
			i++;
			break;
		case 2:
			made = open("/proc/self/exe", O_RDONLY);
			break;
		case 3:
			made = eventfd(0, 0);
			break;
		default:
			made = open("/dev/null", O_RDONLY);
		}
		if (made < 0)
			err(1, "descriptor %d", i);
	}
}

static void leave_namespace(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		err(1, "a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &loopback))
		err(1, "lo");
	close(fd);
}

static void live(int ready, int port, int first, int each, int descriptors)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < each; i++)
		listen_on(port, first + i);
	hold(descriptors);
	if (write(ready, "", 1) != 1)
		err(1, "write");
	close(ready);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int processes, descriptors, listeners, port, each, ready[2];
	bool alone = argc == 7 && !strcmp(argv[6], "alone");
	char byte;

	if (argc != 6 && !alone)
		errx(2, "usage: herd PROCESSES DESCRIPTORS LISTENERS FIRST_PORT EACH [alone]");
	processes = atoi(argv[1]);
	descriptors = atoi(argv[2]);
	listeners = atoi(argv[3]);
	port = atoi(argv[4]);
	each = atoi(argv[5]);
	signal(SIGCHLD, SIG_IGN);
	if (pipe(ready))
		err(1, "pipe");
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork %d", i);
		if (pid == 0) {
			close(ready[0]);
			if (alone)
				leave_namespace();
			live(ready[1], port, alone ? 0 : i * each, i < listeners ? each : 0,
			     descriptors);
		}
	}
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "only %d of %d processes stand", i, processes);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0; /* PDEATHSIG takes the herd along */
}
