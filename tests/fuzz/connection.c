/* SPDX-License-Identifier: MIT */
/* A daemon's answer as pd reads it from its connection: head, body, lines of a stream. */
#include "cli/client/connection.h"

#include <errno.h>
#include <sys/socket.h>

#include "fuzz/fuzz.h"

/* The other end has said all that, and has hung up. */
static struct connection connected(const uint8_t *bytes, size_t size)
{
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	must(send(ends[1], bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
	close(ends[1]);
	return (struct connection){ .fd = ends[0], .timeout_s = 1 };
}

static void read_whole(const uint8_t *bytes, size_t size)
{
	struct connection c = connected(bytes, size);
	int r = connection_read_head(&c);
	size_t n = 0;

	must(r == 0 || r == -ENODATA || r == -ECONNABORTED || r == -EBADMSG);
	if (r == -ENODATA)
		must(size == 0);
	if (r == 0)
		r = connection_read_body(&c, &n);
	must(r <= 0);
	if (r == 0) {
		must(c.head.size + n == size && c.bytes[size] == '\0');
		must(memcmp(c.bytes, bytes, size) == 0);
	}
	connection_close(&c);
}

/* The lines behind the head, without what has no end. */
static void read_lines(const uint8_t *bytes, size_t size)
{
	struct connection c = connected(bytes, size);
	const char *at = NULL;
	struct http_head head;
	char *line;
	int r;

	if (http_head_parse((const char *)bytes, size, &head) == 0 && head.status == 200)
		at = (const char *)bytes + head.size;
	while ((r = connection_take_line(&c, &line)) == 1) {
		const char *end = at ? memchr(at, '\n', size - (size_t)(at - (const char *)bytes))
				     : NULL;

		must(end && memcmp(line, at, (size_t)(end - at)) == 0 && !line[end - at]);
		at = end + 1;
	}
	must(r == 0 || r == -EBADMSG);
	if (r == 0 && at)
		must(!memchr(at, '\n', size - (size_t)(at - (const char *)bytes)));
	connection_close(&c);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	if (!size)
		bytes = (const uint8_t *)"";
	read_whole(bytes, size);
	read_lines(bytes, size);
	return 0;
}
