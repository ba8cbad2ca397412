/* SPDX-License-Identifier: MIT */
/* Any two UDP sockets with SO_REUSEADDR share a port. */
#include "case.h"

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .type = SOCK_DGRAM, .addr = "0.0.0.0", .reuseaddr = true },
	.attempt = { .type = SOCK_DGRAM, .addr = "0.0.0.0", .reuseaddr = true },
	.run_holder = run_bound,
};
