/* SPDX-License-Identifier: MIT */
/* The new server has SO_REUSEADDR; what the old one left behind has not. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "time_wait_reuse_one_sided",
	.attempt = { .reuseaddr = true },
	.set_up = leave_time_wait,
	.remedy = destroy_sockets,
};
