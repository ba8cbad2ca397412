/* SPDX-License-Identifier: MIT */
/* bind() to port 0, and every port of the range is taken. */
#include "case_range.h"

const struct scenario scenario = {
	.verdict = "ephemeral_exhausted",
	.live = "", /* no port to ask about */
	.error = EADDRINUSE,
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0", .any_port = true },
	.set_up = take_all,
	.remedy = widen_range,
};
