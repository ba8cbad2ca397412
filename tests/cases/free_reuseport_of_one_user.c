/* SPDX-License-Identifier: MIT */
/* SO_REUSEPORT on both sides, of one user: they share. */
#include "case.h"

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0", .reuseport = true, .user = 1 },
	.attempt = { .addr = "0.0.0.0", .reuseport = true, .user = 1 },
	.run_holder = run_listener,
};
