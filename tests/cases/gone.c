/* SPDX-License-Identifier: MIT */
/* The listener leaves right after the refusal; whoever asks then finds the port free. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "listener",
	.live = "gone",
	.live_after = true,
	.maybe_incomplete = true, /* who has left cannot always be counted */
	.run_holder = run_listener,
	.after = stop_holder,
};
