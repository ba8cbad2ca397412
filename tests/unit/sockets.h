/* SPDX-License-Identifier: MIT */
/* Sockets on which something happens. */
#ifndef TESTS_UNIT_SOCKETS_H
#define TESTS_UNIT_SOCKETS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "testing.h"

/* A bound socket on loopback with a port of the kernel's choice; type SOCK_STREAM or SOCK_DGRAM. */
static inline int bound_socket(int type, uint16_t *ret_port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	*ret_port = ntohs(name.sin_port);
	return fd;
}

static inline int listening_socket(uint16_t *ret_port)
{
	int fd = bound_socket(SOCK_STREAM, ret_port);

	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A listener on exactly this port; negative where that is taken. */
static inline int listen_at(uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) || listen(fd, 8))
		return -1;
	return TAKE_FD(fd);
}

/* A listener in the range that services are given, on a port that is free by chance. */
static inline int listen_in_range(uint16_t *ret_port)
{
	for (uint16_t port = 9900; port > 9000; port--) {
		int fd = listen_at(port);

		*ret_port = port;
		if (fd >= 0)
			return fd;
	}
	fail_msg("no port of 9000-9900 is free");
	return -1;
}

/* Type SOCK_STREAM or SOCK_DGRAM. */
static inline int bound_unix_socket(int type, const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

/* Negative where nobody listens. */
static inline int connect_unix(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&name, sizeof(name)) ? -1 : TAKE_FD(fd);
}

/* A loopback port that nothing holds, for an explicit claim. */
static inline uint16_t free_port(void)
{
	uint16_t port;
	int fd = bound_socket(SOCK_STREAM, &port);

	close(fd);
	return port;
}

#endif
