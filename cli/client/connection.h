/* SPDX-License-Identifier: MIT */
/*
 * One HTTP/1.0 exchange over a connected Unix socket, with a growing and bounded buffer.  Knows
 * nothing of JSON and starts nothing.
 */
#ifndef CLI_CLIENT_CONNECTION_H
#define CLI_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/client/http.h"

#define CONNECTION_ANSWER_MAX_BYTES (64 * 1024 * 1024) /* every socket of a large host: 10 MB */
#define CONNECTION_TIMEOUT_S	    10 /* the daemon answers within milliseconds or is stuck */

struct connection {
	int fd;		   /* owned */
	int64_t timeout_s; /* of each wait for more of an answer; 0 = for ever */
	char *bytes;
	size_t used, size;
	struct http_head head;
	bool broken; /* the other side ended in the midst of an exchange */
};

/* What to say of -EPERM. */
#define CONNECTION_FORBIDDEN                                                                  \
	"a sandbox (seccomp, AppArmor, SELinux, Landlock) forbids Unix sockets here: run pd " \
	"outside it, or let it use AF_UNIX"

/* Connects to a socket's path; 0, or a negative errno: -EPERM where a sandbox forbids it. */
int connection_open(struct connection *c, const char *socket_path);
/* The same, and sending, of a daemon without which the caller can go on: waits so long for it. */
int connection_open_within(struct connection *c, const char *socket_path, int64_t timeout_s);
/*
 * Connects to the first of the caller's sockets (base/paths.h) that answers; starts nothing.  0 and
 * its path, cut to size, in ret_path, which may be NULL; -ENOENT when nobody listens anywhere;
 * -EAGAIN when one listens and accepts nobody; -EPERM as above.
 */
int connection_open_any(struct connection *c, char *ret_path, int size);
void connection_close(struct connection *c); /* takes a closed or zeroed one with fd -1 */

/* Sends a request; body may be NULL.  0, negative errno (-EPIPE: the other side is gone). */
int connection_send(struct connection *c, const char *method, const char *path, const char *body);

/*
 * Reads until the head is known.  0; when the other side ended before: -ECONNRESET if it had not
 * read all of the request (a Unix socket tells its peer so), -ENODATA if it had and answered
 * nothing, -ECONNABORTED in the midst of the head; -EBADMSG; -EAGAIN after timeout_s without a
 * byte; -EINTR when somebody asked to stop (cli/client/stop_guard.h).
 */
int connection_read_head(struct connection *c);

/*
 * Reads the whole body, NUL-terminated behind its last byte, in bytes + head.size.  *ret_size is
 * its length.  0; -ECONNABORTED when it is shorter than announced; -EFBIG; -EAGAIN and -EINTR as
 * above.
 */
int connection_read_body(struct connection *c, size_t *ret_size);

/*
 * Waits for a line of a stream, without its newline, NUL-terminated; valid until the next call.
 * 1 and *ret_line; 0 when the other side closed; -EINTR as above; -EPIPE when nobody reads our
 * stdout any more; -EFBIG.
 */
int connection_next_line(struct connection *c, char **ret_line);

/*
 * The same of an answer whose head need not have been read, without waiting: 1 and *ret_line; 0
 * when the other side closed, or has answered with an error; -EAGAIN when there is no line yet;
 * -EBADMSG, -EFBIG.
 */
int connection_take_line(struct connection *c, char **ret_line);

/* Who listens on the other side; 0 where that is not visible from our pid namespace. */
pid_t connection_peer_pid(const struct connection *c);

#endif
