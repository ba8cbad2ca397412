/* SPDX-License-Identifier: MIT */
/* Any two UDP sockets with SO_REUSEADDR share a port. */
#include "case.h"

const struct scenario scenario = {
	.holder = { .type = SOCK_DGRAM, .reuseaddr = true },
	.attempt = { .type = SOCK_DGRAM, .reuseaddr = true },
	.run_holder = run_bound,
};
