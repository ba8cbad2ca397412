/* SPDX-License-Identifier: MIT */
/*
 * A container engine's proxy, as docker runs it.  Started through a link named "dockerd" with a
 * port, it starts "docker-proxy" beside it twice, for IPv4 and IPv6, with docker's own arguments,
 * and prints their pids; "docker-proxy" listens as a Go program does: Multipath TCP, SO_REUSEADDR.
 */
#include <arpa/inet.h>
#include <libgen.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define CONTAINER_ADDR "172.17.0.2"
#define CONTAINER_PORT "80"

static const char *value_of(char **argv, const char *name)
{
	for (; argv[0] && argv[1]; argv++)
		if (!strcmp(argv[0], name))
			return argv[1];
	return "";
}

static int open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM, IPPROTO_MPTCP), on = 1;

	if (fd < 0)
		fd = socket(family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return fd;
}

static int run_proxy(char **argv)
{
	uint16_t port = htons((uint16_t)atoi(value_of(argv, "-host-port")));
	int family = strchr(value_of(argv, "-host-ip"), ':') ? AF_INET6 : AF_INET;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };
	int fd = open_socket(family);

	if ((family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
			       : bind(fd, (struct sockaddr *)&v6, sizeof(v6))) ||
	    listen(fd, 8)) {
		perror("docker-proxy");
		return 1;
	}
	printf("%d\n", getpid());
	fflush(stdout);
	for (;;)
		pause();
}

static void start_proxy(const char *program, const char *host, const char *port)
{
	const char *arguments[] = {
		"docker-proxy", "-proto",	   "tcp",	   "-host-ip",
		host,		"-host-port",	   port,	   "-container-ip",
		CONTAINER_ADDR, "-container-port", CONTAINER_PORT, NULL
	};

	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(program, (char **)arguments);
	_exit(127);
}

int main(int argc, char **argv)
{
	char program[4096], self[4096];

	snprintf(self, sizeof(self), "%s", argv[0]);
	if (!strcmp(basename(self), "docker-proxy"))
		return run_proxy(argv + 1);
	if (argc != 2)
		return 2;
	snprintf(self, sizeof(self), "%s", argv[0]);
	snprintf(program, sizeof(program), "%s/docker-proxy", dirname(self));
	start_proxy(program, "0.0.0.0", argv[1]);
	start_proxy(program, "::", argv[1]);
	while (wait(NULL) > 0)
		;
	return 1;
}
