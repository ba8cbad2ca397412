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
	.holder = { .family = AF_INET6, .addr = "::" },
	.run_holder = run_listener,
	.remedy = split_families,
};
