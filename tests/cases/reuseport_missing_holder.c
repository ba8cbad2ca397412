/* SPDX-License-Identifier: MIT */
/* Only the newcomer has SO_REUSEPORT. */
#include "case.h"

static void set_it_on_both(struct scene *s)
{
	s->holder.reuseport = true;
	restart_listener(s);
}

const struct scenario scenario = {
	.verdict = "reuseport_missing_holder",
	.attempt = { .reuseport = true },
	.run_holder = run_listener,
	.remedy = set_it_on_both,
};
