/* SPDX-License-Identifier: MIT */
/* An IPv4 address for a socket that takes IPv6 only. */
#include "case.h"

static void allow_both(struct scene *s)
{
	s->attempt.v6only = false;
}

const struct scenario scenario = {
	.verdict = "v6only_mapped",
	.error = EINVAL,
	.attempt = { .family = AF_INET6, .addr = "::ffff:127.0.0.1", .v6only = true },
	.remedy = allow_both,
};
