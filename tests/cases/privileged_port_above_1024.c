/* SPDX-License-Identifier: MIT */
/* The namespace has made more ports privileged than usual. */
#include "case.h"

static void set_start(const char *port)
{
	write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", port);
}

static void raise_the_start(struct scene *s)
{
	set_start("32768");
}

static void lower_the_start(struct scene *s)
{
	set_start("1024");
}

const struct scenario scenario = {
	.verdict = "privileged_port",
	.error = EACCES,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = raise_the_start,
	.remedy = lower_the_start,
};
