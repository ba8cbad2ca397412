/* SPDX-License-Identifier: MIT */
/* The same over the families: a UDP socket on :: covers IPv4. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "udp_bound",
	.holder = { .family = AF_INET6, .type = SOCK_DGRAM, .addr = "::" },
	.attempt = { .type = SOCK_DGRAM, .addr = "127.0.0.1" },
	.run_holder = run_bound,
	.remedy = stop_holder,
};
