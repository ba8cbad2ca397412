/* SPDX-License-Identifier: MIT */
/*
 * Listens on a port under a name and a command line that attack whoever prints them: escape
 * sequences, newlines, invalid UTF-8, a quote for JSON.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMM	"\x1b[31m\xff\n\"EVIL"
#define ARGV0	"\x1b]0;owned\x07\r\n\x1b[2J\xc3\x28\"},{\xe2\x80\xae"
#define RESTART "again"

static void listen_on(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 8)) {
		perror("hostile");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2) {
		execl("/proc/self/exe", ARGV0, argv[1], RESTART, (char *)NULL);
		perror("execl");
		return 1;
	}
	if (argc != 3)
		return 2;
	prctl(PR_SET_NAME, COMM);
	listen_on(atoi(argv[1]));
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
