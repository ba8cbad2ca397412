/* SPDX-License-Identifier: MIT */
/* A service of pd up: listens on $PORT and notes when it began and when it listened, in ns. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tool.h"

int main(int argc, char **argv)
{
	int64_t began_ns = now_ns(), listened_ns;
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	FILE *notes;

	if (argc != 3)
		errx(2, "usage: service NAME NOTES");
	addr.sin_port = htons((uint16_t)atoi(getenv("PORT")));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
		err(1, "port %s", getenv("PORT"));
	listened_ns = now_ns();
	notes = fopen(argv[2], "a");
	if (!notes)
		err(1, "%s", argv[2]);
	fprintf(notes, "%s %lld %lld\n", argv[1], (long long)began_ns, (long long)listened_ns);
	fclose(notes);
	for (;;)
		pause();
}
