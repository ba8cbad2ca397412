/* SPDX-License-Identifier: MIT */
/* Two servers, two addresses. */
#include "case.h"

const struct scenario scenario = {
	.holder = { .addr = "127.0.0.2" },
	.attempt = { .addr = "127.0.0.1" },
	.run_holder = run_listener,
};
