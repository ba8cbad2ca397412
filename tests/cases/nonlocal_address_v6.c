/* SPDX-License-Identifier: MIT */
/* The same of IPv6. */
#include "case.h"

static void add_address(struct scene *s)
{
	command("ip addr add 2001:db8::1/128 dev lo nodad");
}

const struct scenario scenario = {
	.verdict = "nonlocal_address",
	.error = EADDRNOTAVAIL,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .family = AF_INET6, .addr = "2001:db8::1" },
	.remedy = add_address,
};
