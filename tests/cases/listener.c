/* SPDX-License-Identifier: MIT */
/* A server listens on the very address. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "listener",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0" },
	.run_holder = run_listener,
	.remedy = stop_holder,
};
