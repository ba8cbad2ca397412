/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FIRST_HANDED_FD 3 /* SD_LISTEN_FDS_START */

/* A number of the environment; 0 where there is none. */
static unsigned long long number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

/* Variables are inherited: that of the pid says whose the others are. */
static int is_meant(const char *pid_name)
{
	unsigned long long pid = number(pid_name);

	return pid == (unsigned long long)getpid();
}

int notify_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	size_t length;

	if (!path || !*path)
		return 0;
	length = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* abstract: the name has no terminator */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (void *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		return -errno;
	return 0;
}

static void on_watchdog(evutil_socket_t fd, short what, void *user_data)
{
	notify_manager("WATCHDOG=1");
}

int notify_watchdog_new(struct event_base *loop, struct event **ret)
{
	unsigned long long half_us = number("WATCHDOG_USEC") / 2;
	const struct timeval half = { (time_t)(half_us / 1000000),
				      (suseconds_t)(half_us % 1000000) };
	struct event *timer;

	*ret = NULL;
	if (!half_us || (getenv("WATCHDOG_PID") && !is_meant("WATCHDOG_PID")))
		return 0;
	timer = event_new(loop, -1, EV_PERSIST, on_watchdog, NULL);
	if (!timer || event_add(timer, &half)) {
		if (timer)
			event_free(timer);
		return -ENOMEM;
	}
	*ret = timer;
	return 0;
}

int notify_take_socket(void)
{
	int fd = FIRST_HANDED_FD;

	if (number("LISTEN_FDS") < 1 || !is_meant("LISTEN_PID"))
		return -1;
	unsetenv("LISTEN_FDS");
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
}
