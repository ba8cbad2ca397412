/* SPDX-License-Identifier: MIT */
/* A port below ip_unprivileged_port_start, and no CAP_NET_BIND_SERVICE. */
#include "case.h"

static void lower_the_start(struct scene *s)
{
	write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "80");
}

const struct scenario scenario = {
	.verdict = "privileged_port",
	.error = EACCES,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "127.0.0.1", .port = 80, .user = 1 },
	.remedy = lower_the_start,
};
