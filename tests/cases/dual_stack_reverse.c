/* SPDX-License-Identifier: MIT */
/* The victim's :: would cover the IPv4 listener. */
#include "case.h"

static void split_families(struct scene *s)
{
	s->attempt.v6only = true;
}

const struct scenario scenario = {
	.verdict = "dual_stack",
	.attempt = { .family = AF_INET6, .addr = "::" },
	.run_holder = run_listener,
	.remedy = split_families,
};
