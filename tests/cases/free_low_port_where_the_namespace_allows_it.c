/* SPDX-License-Identifier: MIT */
/* A low port in a namespace that lowered ip_unprivileged_port_start, as docker does. */
#include "case.h"

static void lower_the_start(struct scene *s)
{
	write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "80");
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "127.0.0.1", .port = 80, .user = 1 },
	.set_up = lower_the_start,
};
