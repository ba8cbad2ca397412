/* SPDX-License-Identifier: MIT */
/* The listener's :: covers IPv4, too. */
#include "case.h"

static void split_families(struct scene *s)
{
	s->holder.v6only = true;
	restart_listener(s);
}

const struct scenario scenario = {
	.verdict = "dual_stack",
	.error = EADDRINUSE,
	.holder = { .family = AF_INET6, .addr = "::" },
	.attempt = { .addr = "0.0.0.0" },
	.run_holder = run_listener,
	.remedy = split_families,
};
