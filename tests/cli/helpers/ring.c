/* SPDX-License-Identifier: MIT */
/* ring PORT: listens through a registered file of io_uring alone; says "ready" and waits. */
#include <arpa/inet.h>
#include <err.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 2)
		errx(2, "usage: ring PORT");
	name.sin_port = htons((uint16_t)atoi(argv[1]));
	if (ring < 0) {
		puts("no io_uring");
		return 0;
	}
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) || listen(fd, 1))
		err(1, "port %s", argv[1]);
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		err(1, "register");
	close(fd);
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
