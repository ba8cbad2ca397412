/* SPDX-License-Identifier: MIT */
/* Everything belongs to one ordinary user, who asks for himself. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "listener",
	.holder = { .user = 1 },
	.attempt = { .user = 1 },
	.run_holder = run_listener,
	.remedy = stop_holder,
};
