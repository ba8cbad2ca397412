/* SPDX-License-Identifier: MIT */
/* Only the listener has SO_REUSEPORT. */
#include "case.h"

static void set_it_on_both(struct scene *s)
{
	s->attempt.reuseport = true;
}

const struct scenario scenario = {
	.verdict = "reuseport_missing_victim",
	.holder = { .reuseport = true },
	.run_holder = run_listener,
	.remedy = set_it_on_both,
};
