/* SPDX-License-Identifier: MIT */
/* One server for IPv6 alone, one for IPv4. */
#include "case.h"

const struct scenario scenario = {
	.attempt = { .family = AF_INET6, .addr = "::", .v6only = true },
	.run_holder = run_listener,
};
