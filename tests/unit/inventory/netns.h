/* SPDX-License-Identifier: MIT */
/* A network namespace of the test's own, and sockets in it. */
#ifndef TESTS_UNIT_INVENTORY_NETNS_H
#define TESTS_UNIT_INVENTORY_NETNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "testing.h"

/* Moves the whole test into a new namespace with lo up; -errno where that is not allowed. */
static inline int netns_enter(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	_cleanup_close_ int fd = -1;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
}

static inline void netns_skip(void **state)
{
	skip();
}

/* EACH_TEST_MAIN() in the namespace.  Where that is not allowed, all tests are skipped but those
 * that are alone. */
static inline int netns_run_tests(CMFixtureFunction setup, CMFixtureFunction teardown)
{
	bool allowed = netns_enter() == 0;

	set_up_each_test(setup, teardown);
	for (size_t i = 0; !allowed && i < ARRAY_SIZE(tests) && tests[i].name; i++)
		if (tests[i].initial_state != TEST_IS_ALONE)
			tests[i] = (struct CMUnitTest){ tests[i].name, netns_skip };
	return cmocka_run_group_tests_name(__BASE_FILE__, tests, NULL, NULL);
}

#define EACH_TEST_IN_NETNS_MAIN(setup, teardown)         \
	int main(void)                                   \
	{                                                \
		return netns_run_tests(setup, teardown); \
	}

/* The same, and where that is not allowed, outside. */
#define EACH_TEST_MAYBE_IN_NETNS_MAIN(setup, teardown)                                \
	int main(void)                                                                \
	{                                                                             \
		netns_enter();                                                        \
		set_up_each_test(setup, teardown);                                    \
		return cmocka_run_group_tests_name(__BASE_FILE__, tests, NULL, NULL); \
	}

#define NETNS_REUSEPORT 1
#define NETNS_V6ONLY	2
#define NETNS_LISTEN	4

#define NETNS_TIME_WAIT	 6 /* of include/net/tcp_states.h */
#define NETNS_DEADLINE_S 20

/* A socket of the family, bound to loopback (NULL) or the address; negative errno. */
static inline int netns_bind(int family, int type, const char *address, uint16_t port, int flags)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, v6only = !!(flags & NETNS_V6ONLY);
	_cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
	const struct sockaddr *to = family == AF_INET ? (void *)&v4 : (void *)&v6;

	if (fd < 0)
		return -errno;
	if (!address)
		address = family == AF_INET ? "127.0.0.1" : "::1";
	inet_pton(family, address,
		  family == AF_INET ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr);
	if (flags & NETNS_REUSEPORT)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
	if (bind(fd, to, family == AF_INET ? sizeof(v4) : sizeof(v6)) < 0)
		return -errno;
	if ((flags & NETNS_LISTEN) && listen(fd, 8) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static inline bool netns_has_time_wait(uint16_t port)
{
	_cleanup_file_ FILE *f = fopen("/proc/net/tcp", "re");
	unsigned local, state;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*d: %*8x:%x %*8x:%*x %x", &local, &state) == 2 &&
		    local == port && state == NETNS_TIME_WAIT)
			return true;
	return false;
}

/* After the last close(): what a socket sends to itself may be received a moment later. */
static inline int netns_await_time_wait(uint16_t port)
{
	time_t deadline = time(NULL) + NETNS_DEADLINE_S;

	while (!netns_has_time_wait(port))
		if (time(NULL) > deadline)
			return -ETIMEDOUT;
	return 0;
}

/* A connection to 127.0.0.1:port whose server side closes first: TIME_WAIT on the port. */
static inline int netns_make_time_wait(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	_cleanup_close_ int listener = netns_bind(AF_INET, SOCK_STREAM, NULL, port, NETNS_LISTEN);
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;
	int server;

	if (listener < 0)
		return listener;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(client, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	server = accept(listener, NULL, NULL);
	if (server < 0)
		return -errno;
	close(server);
	/* the end of the stream: the server's FIN is here, now ours answers it */
	if (read(client, &byte, 1) != 0)
		return -EIO;
	closep(&client);
	client = -1;
	return netns_await_time_wait(port);
}

#endif
