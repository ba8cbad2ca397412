/* SPDX-License-Identifier: MIT */
/* No interface has the address, and ip_nonlocal_bind lets it be bound nevertheless. */
#include "case.h"

const struct scenario scenario = {
	.attempt = { .addr = "192.0.2.1" },
	.set_up_command = "echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind",
};
