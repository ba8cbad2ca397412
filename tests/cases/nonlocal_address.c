/* SPDX-License-Identifier: MIT */
/* No interface has the address. */
#include "case.h"

static void add_address(struct scene *s)
{
	command("ip addr add 192.0.2.1/32 dev lo");
}

const struct scenario scenario = {
	.verdict = "nonlocal_address",
	.error = EADDRNOTAVAIL,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "192.0.2.1" },
	.remedy = add_address,
};
