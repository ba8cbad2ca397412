/* SPDX-License-Identifier: MIT */
/* A server listens on the very address. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "listener",
	.run_holder = run_listener,
	.remedy = stop_holder,
};
