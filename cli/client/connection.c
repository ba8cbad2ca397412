/* SPDX-License-Identifier: MIT */
#include "cli/client/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/paths.h"
#include "cli/client/stop_guard.h"

#define FIRST_BUFFER_BYTES (16 * 1024)
#define LINE_MAX_BYTES	   (1024 * 1024) /* an event line is under 2 KB */

/* Of sending, and of a connect() to a socket whose backlog is full. */
static int set_timeout(int fd, int64_t timeout_s)
{
	const struct timeval t = { .tv_sec = (time_t)timeout_s };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0 ? -errno : 0;
}

/*
 * Whether it is not for the file's mode that connect() was refused: security modules say EACCES as
 * that does.
 */
static bool is_forbidden(int error, const char *socket_path)
{
	return error == EPERM || (error == EACCES && access(socket_path, W_OK) == 0);
}

int connection_open(struct connection *c, const char *socket_path)
{
	return connection_open_within(c, socket_path, CONNECTION_TIMEOUT_S);
}

int connection_open_within(struct connection *c, const char *socket_path, int64_t timeout_s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int r;

	*c = (struct connection){ .fd = -1 };
	if (strlen(socket_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* the last one is what systemd's RestrictAddressFamilies= answers */
	if (fd < 0)
		return errno == EACCES || errno == EAFNOSUPPORT ? -EPERM : -errno;
	r = set_timeout(fd, timeout_s);
	if (r < 0)
		return r;
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return is_forbidden(errno, socket_path) ? -EPERM : -errno;
	c->fd = TAKE_FD(fd);
	return 0;
}

int connection_open_any(struct connection *c, char *ret_path, int size)
{
	char paths[PATHS_SOCKETS_MAX][108];
	int n = paths_client_sockets(paths, PATHS_SOCKETS_MAX), otherwise = -ENOENT;

	for (int i = 0; i < n; i++) {
		int r = connection_open(c, paths[i]);

		if (r == 0 && ret_path)
			snprintf(ret_path, (size_t)size, "%s", paths[i]);
		if (r == 0 || r == -EAGAIN)
			return r;
		if (r == -EPERM)
			otherwise = r;
	}
	return otherwise;
}

void connection_close(struct connection *c)
{
	closep(&c->fd);
	free(c->bytes);
	*c = (struct connection){ .fd = -1 };
}

static int send_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		bytes += sent;
		n -= (size_t)sent;
	}
	return 0;
}

int connection_send(struct connection *c, const char *method, const char *path, const char *body)
{
	_cleanup_free_ char *text = NULL;
	char agent[BUILD_PRODUCT_SIZE];
	int n;

	build_product(BUILD_PROGRAM_PD, agent);
	if (body)
		n = asprintf(&text,
			     "%s %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: %s\r\n"
			     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			     method, path, agent, strlen(body), body);
	else
		n = asprintf(&text, "%s %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: %s\r\n\r\n",
			     method, path, agent);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return send_all(c->fd, text, (size_t)n);
}

/* Makes room for at least one byte more and the NUL behind it. */
static int reserve(struct connection *c, size_t max)
{
	size_t size = c->size ? c->size * 2 : FIRST_BUFFER_BYTES;
	char *bytes;

	if (c->used + 1 < c->size)
		return 0;
	if (c->size >= max)
		return -EFBIG;
	bytes = realloc(c->bytes, size);
	if (!bytes)
		return -ENOMEM;
	c->bytes = bytes;
	c->size = size;
	return 0;
}

/*
 * Sleeps until there are bytes.  0; -EAGAIN after timeout_s (0: never); -EINTR when somebody asked
 * to stop meanwhile; -EPIPE when the reader of `output` has left (-1: of none).
 */
static int wait_for_bytes(const struct connection *c, int64_t timeout_s, int output)
{
	struct pollfd fds[] = { { .fd = c->fd, .events = POLLIN }, { .fd = output } };
	const struct timespec timeout = { .tv_sec = (time_t)timeout_s };
	int n;

	do
		n = ppoll(fds, ARRAY_SIZE(fds), timeout_s ? &timeout : NULL, stop_guard_mask());
	while (n < 0 && errno == EINTR && !stop_guard_asked());
	if (n < 0)
		return -errno;
	if (n == 0)
		return -EAGAIN;
	return fds[1].revents & POLLERR ? -EPIPE : 0;
}

/* Appends what there is.  The number of bytes, 0 at the end, negative errno. */
static ssize_t read_more(struct connection *c, size_t max, int flags)
{
	ssize_t n;
	int r = reserve(c, max);

	if (r < 0)
		return r;
	do
		n = recv(c->fd, c->bytes + c->used, c->size - c->used - 1, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c->used += (size_t)n;
	c->bytes[c->used] = '\0';
	return n;
}

/* Waits for more of an answer first. */
static ssize_t await_more(struct connection *c, size_t max)
{
	int r = wait_for_bytes(c, c->timeout_s, -1);

	return r < 0 ? r : read_more(c, max, 0);
}

int connection_read_head(struct connection *c)
{
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		ssize_t n = await_more(c, HTTP_HEAD_MAX_BYTES + FIRST_BUFFER_BYTES);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return c->used ? -ECONNABORTED : -ENODATA;
		r = http_head_parse(c->bytes, c->used, &c->head);
	}
	return r;
}

static bool body_is_complete(const struct connection *c)
{
	return c->head.content_length >= 0 &&
	       c->used - c->head.size >= (uint64_t)c->head.content_length;
}

int connection_read_body(struct connection *c, size_t *ret_size)
{
	if (c->head.content_length > CONNECTION_ANSWER_MAX_BYTES)
		return -EFBIG;
	while (!body_is_complete(c)) {
		ssize_t n = await_more(c, CONNECTION_ANSWER_MAX_BYTES);

		if (n < 0)
			return (int)n;
		if (n == 0 && c->head.content_length >= 0)
			return -ECONNABORTED;
		if (n == 0)
			break;
	}
	*ret_size = c->used - c->head.size;
	return 0;
}

/* Drops what was handed out before: the head first, then each line. */
static void drop_front(struct connection *c, size_t n)
{
	memmove(c->bytes, c->bytes + n, c->used - n + 1);
	c->used -= n;
}

/* A line that is there already; it is dropped with the next look. */
static bool find_line(struct connection *c, char **ret_line)
{
	char *end;

	drop_front(c, c->head.size);
	c->head.size = 0;
	end = c->used ? memchr(c->bytes, '\n', c->used) : NULL;
	if (!end)
		return false;
	*end = '\0';
	c->head.size = (size_t)(end + 1 - c->bytes);
	*ret_line = c->bytes;
	return true;
}

int connection_next_line(struct connection *c, char **ret_line)
{
	while (!find_line(c, ret_line)) {
		ssize_t n = wait_for_bytes(c, 0, STDOUT_FILENO);

		if (n < 0)
			return (int)n;
		n = read_more(c, LINE_MAX_BYTES, 0);
		if (n <= 0)
			return n == -ECONNRESET ? 0 : (int)n;
	}
	return 1;
}

/* 0 once the head is known, and is that of a stream. */
static int take_head(struct connection *c)
{
	int r = c->head.status ? 0
		: c->used      ? http_head_parse(c->bytes, c->used, &c->head)
			       : -EAGAIN;

	return r == 0 && c->head.status != 200 ? -ECONNRESET : r;
}

int connection_take_line(struct connection *c, char **ret_line)
{
	for (;;) {
		int r = take_head(c);
		ssize_t n;

		if (r == 0 && find_line(c, ret_line))
			return 1;
		if (r == -ECONNRESET)
			return 0;
		if (r && r != -EAGAIN)
			return r;
		n = read_more(c, LINE_MAX_BYTES, MSG_DONTWAIT);
		if (n <= 0)
			return n == -ECONNRESET ? 0 : (int)n;
	}
}

pid_t connection_peer_pid(const struct connection *c)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	return getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}
