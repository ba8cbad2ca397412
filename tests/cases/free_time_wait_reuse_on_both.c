/* SPDX-License-Identifier: MIT */
/* TIME_WAIT does not matter where the old server and the new one have SO_REUSEADDR. */
#include "case.h"

const struct scenario scenario = {
	.holder = { .reuseaddr = true },
	.attempt = { .reuseaddr = true },
	.set_up = leave_time_wait,
};
