/* SPDX-License-Identifier: MIT */
/* The server closed first; the kernel remembers the connection for a minute. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "time_wait",
	.set_up = leave_time_wait,
	.remedy = destroy_sockets,
};
