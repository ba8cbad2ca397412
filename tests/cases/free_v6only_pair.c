/* SPDX-License-Identifier: MIT */
/* One server for IPv6 alone, one for IPv4. */
#include "case.h"

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .family = AF_INET6, .addr = "::", .v6only = true },
	.run_holder = run_listener,
};
