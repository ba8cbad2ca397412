/* SPDX-License-Identifier: MIT */
/* A UDP client asked for this source port and talks to one peer. */
#include "case.h"

static void run_connected(struct scene *s)
{
	const struct endpoint peer = { .addr = "127.0.0.1" };
	int fd = holder_bind(s);

	need(endpoint_connect(fd, &peer, 9) == 0);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "udp_connected",
	.holder = { .type = SOCK_DGRAM, .addr = "127.0.0.1" },
	.attempt = { .type = SOCK_DGRAM },
	.run_holder = run_connected,
	.remedy = stop_holder,
};
