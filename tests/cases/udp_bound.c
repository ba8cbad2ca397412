/* SPDX-License-Identifier: MIT */
/* Another process has the UDP port. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "udp_bound",
	.holder = { .type = SOCK_DGRAM },
	.attempt = { .type = SOCK_DGRAM },
	.run_holder = run_bound,
	.remedy = stop_holder,
};
