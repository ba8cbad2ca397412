/* SPDX-License-Identifier: MIT */
/* bind() to port 0, and every port of the range is taken. */
#include "case_range.h"

const struct scenario scenario = {
	.verdict = "ephemeral_exhausted",
	.live = "", /* no port to ask about */
	.maybe_incomplete = true,
	.attempt = { .any_port = true },
	.set_up = take_all,
	.remedy = widen_range,
};
