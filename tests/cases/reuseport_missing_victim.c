/* SPDX-License-Identifier: MIT */
/* Only the listener has SO_REUSEPORT. */
#include "case.h"

static void set_it_on_both(struct scene *s)
{
	s->attempt.reuseport = true;
}

const struct scenario scenario = {
	.verdict = "reuseport_missing_victim",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0", .reuseport = true },
	.attempt = { .addr = "0.0.0.0" },
	.run_holder = run_listener,
	.remedy = set_it_on_both,
};
