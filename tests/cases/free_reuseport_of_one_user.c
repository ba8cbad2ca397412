/* SPDX-License-Identifier: MIT */
/* SO_REUSEPORT on both sides, of one user: they share. */
#include "case.h"

const struct scenario scenario = {
	.holder = { .reuseport = true, .user = 1 },
	.attempt = { .reuseport = true, .user = 1 },
	.run_holder = run_listener,
};
