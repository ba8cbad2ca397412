/* SPDX-License-Identifier: MIT */
/* The same of IPv6. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "nonlocal_address",
	.error = EADDRNOTAVAIL,
	.attempt = { .family = AF_INET6, .addr = "2001:db8::1" },
	.remedy_command = "ip addr add 2001:db8::1/128 dev lo nodad",
};
