/* SPDX-License-Identifier: MIT */
/* UDP and TCP have ports of their own. */
#include "case.h"

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .type = SOCK_DGRAM, .addr = "0.0.0.0" },
	.run_holder = run_listener,
};
