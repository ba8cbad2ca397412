/* SPDX-License-Identifier: MIT */
/* The listener is an MPTCP socket, as newer Go programs have by default. */
#include "case.h"

static void skip_without_mptcp(struct scene *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0)
		skip("no MPTCP here");
	close(fd);
}

const struct scenario scenario = {
	.verdict = "mptcp_listener",
	.holder = { .protocol = IPPROTO_MPTCP },
	.set_up = skip_without_mptcp,
	.run_holder = run_listener,
	.remedy = stop_holder,
};
