/* SPDX-License-Identifier: MIT */
/* The listener is an MPTCP socket, as newer Go programs have by default. */
#include "case.h"

static void start_mptcp(struct scene *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0)
		skip("no MPTCP here");
	close(fd);
	start_holder(s, run_listener);
}

const struct scenario scenario = {
	.verdict = "mptcp_listener",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0", .protocol = IPPROTO_MPTCP },
	.attempt = { .addr = "0.0.0.0" },
	.set_up = start_mptcp,
	.remedy = stop_holder,
};
