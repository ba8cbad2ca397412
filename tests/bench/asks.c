/* SPDX-License-Identifier: MIT */
/*
 * asks SOCKET METHOD PATH [BODY]: the least that a program can do to get an answer from the daemon:
 * connect, send, read to the end.  What `pd` needs beyond this is pd's own.
 */
#include <string.h>
#include <unistd.h>

#include "tool.h"

int main(int argc, char **argv)
{
	char request[2048], answer[65536];
	const char *body = argc > 4 ? argv[4] : "";
	size_t used = 0;
	ssize_t n;
	int fd, size;

	if (argc < 4)
		errx(2, "usage: asks SOCKET METHOD PATH [BODY]");
	fd = connect_to(argv[1]);
	size = snprintf(request, sizeof(request), "%s %s HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s",
			argv[2], argv[3], strlen(body), body);
	if (size >= (int)sizeof(request) || write(fd, request, (size_t)size) != size)
		errx(1, "cannot send");
	while ((n = read(fd, answer + used, sizeof(answer) - 1 - used)) > 0)
		used += (size_t)n;
	answer[used] = 0;
	if (!strstr(answer, " 200 "))
		errx(1, "%.*s", (int)strcspn(answer, "\r\n"), answer);
	return 0;
}
