/* SPDX-License-Identifier: MIT */
/* An IPv6 socket on ::ffff:127.0.0.1 is an IPv4 address for the kernel. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "dual_stack",
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .family = AF_INET6, .addr = "::ffff:127.0.0.1" },
	.run_holder = run_listener,
	.remedy = stop_holder,
};
