/* SPDX-License-Identifier: MIT */
/* SO_REUSEADDR on both sides never lets a second one in while the first listens. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "reuseaddr_vs_listener",
	.holder = { .reuseaddr = true },
	.attempt = { .reuseaddr = true },
	.run_holder = run_listener,
	.remedy = stop_holder,
};
