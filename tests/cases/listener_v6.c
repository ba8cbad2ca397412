/* SPDX-License-Identifier: MIT */
/* A server listens on one IPv6 address, and another wants the same. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "listener",
	.holder = { .family = AF_INET6, .addr = "::1" },
	.attempt = { .family = AF_INET6, .addr = "::1" },
	.run_holder = run_listener,
	.remedy = stop_holder,
};
