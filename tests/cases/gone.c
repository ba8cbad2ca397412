/* SPDX-License-Identifier: MIT */
/* The listener leaves right after the refusal; whoever asks then finds the port free. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "listener",
	.live = "gone",
	.live_after = true,
	.complete = COMPLETE_OR_NOT, /* who has left cannot always be counted */
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0" },
	.run_holder = run_listener,
	.after = stop_holder,
};
