/* SPDX-License-Identifier: MIT */
/* A UDP client asked for this source port and talks to one peer. */
#include "case.h"

static void run_connected(struct scene *s)
{
	struct endpoint peer = { .addr = "127.0.0.1", .port = 9 };
	struct sockaddr_storage a;
	socklen_t n = endpoint_address(&peer, 0, &a);
	int fd = holder_bind(s);

	need(connect(fd, (struct sockaddr *)&a, n) == 0);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "udp_connected",
	.error = EADDRINUSE,
	.holder = { .type = SOCK_DGRAM, .addr = "127.0.0.1" },
	.attempt = { .type = SOCK_DGRAM, .addr = "0.0.0.0" },
	.run_holder = run_connected,
	.remedy = stop_holder,
};
