/* SPDX-License-Identifier: MIT */
/* Nobody is on the port. */
#include "case.h"

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "0.0.0.0" },
};
