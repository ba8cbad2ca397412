/* SPDX-License-Identifier: MIT */
/* No interface has the address. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "nonlocal_address",
	.error = EADDRNOTAVAIL,
	.attempt = { .addr = "192.0.2.1" },
	.remedy_command = "ip addr add 192.0.2.1/32 dev lo",
};
