/* SPDX-License-Identifier: MIT */
/* No interface has the address, and ip_nonlocal_bind lets it be bound nevertheless. */
#include "case.h"

static void allow_nonlocal(struct scene *s)
{
	write_file("/proc/sys/net/ipv4/ip_nonlocal_bind", "1");
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "192.0.2.1" },
	.set_up = allow_nonlocal,
};
