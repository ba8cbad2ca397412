/* SPDX-License-Identifier: MIT */
/* Another process has the UDP port. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "udp_bound",
	.error = EADDRINUSE,
	.holder = { .type = SOCK_DGRAM, .addr = "0.0.0.0" },
	.attempt = { .type = SOCK_DGRAM, .addr = "0.0.0.0" },
	.run_holder = run_bound,
	.remedy = stop_holder,
};
