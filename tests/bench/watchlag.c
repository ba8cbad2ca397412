/* SPDX-License-Identifier: MIT */
/*
 * watchlag SOCKET COUNT: from listen()'s return to the line of the event stream that tells of it.
 * Prints the median and the 99th percentile in microseconds.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define ANSWER_MS 2000

static const char ask[] = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";

/* Reads on until the text has come by. */
static void read_until(int stream, const char *text)
{
	static char seen[1 << 16];
	size_t used = 0;

	for (;;) {
		struct pollfd wait = { .fd = stream, .events = POLLIN };
		ssize_t n;

		if (poll(&wait, 1, ANSWER_MS) <= 0)
			errx(1, "no line with %s within %d ms", text, ANSWER_MS);
		n = read(stream, seen + used, sizeof(seen) - 1 - used);
		if (n <= 0)
			errx(1, "the stream has ended");
		used += (size_t)n;
		seen[used] = 0;
		if (strstr(seen, text))
			return;
		if (used > sizeof(seen) / 2) {
			memmove(seen, seen + used - 1024, 1024);
			used = 1024;
		}
	}
}

static int64_t listen_once(int stream)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char text[64];
	int64_t began;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, size) ||
	    getsockname(fd, (struct sockaddr *)&name, &size))
		err(1, "bind");
	snprintf(text, sizeof(text), "\"addr\":\"127.0.0.1\",\"port\":%d", ntohs(name.sin_port));
	read_until(stream, text); /* the BIND line */
	if (listen(fd, 16))
		err(1, "listen");
	began = now_ns();
	read_until(stream, text);
	began = now_ns() - began;
	close(fd);
	read_until(stream, text); /* the line of its end */
	return began;
}

int main(int argc, char **argv)
{
	int count = argc == 3 ? atoi(argv[2]) : 0, stream;
	int64_t *took_ns;

	if (count < 100)
		errx(2, "usage: watchlag SOCKET COUNT, at least 100");
	took_ns = samples_new(count);
	stream = connect_to(argv[1]);
	if (write(stream, ask, sizeof(ask) - 1) != (ssize_t)sizeof(ask) - 1)
		err(1, "write");
	read_until(stream, "\"stream\":\"events\"");
	for (int i = 0; i < count; i++)
		took_ns[i] = listen_once(stream);
	printf("%.1f ", percentile_us(took_ns, count, 50));
	printf("%.1f\n", percentile_us(took_ns, count, 99));
	free(took_ns);
	return 0;
}
