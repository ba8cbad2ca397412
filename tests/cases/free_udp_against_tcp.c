/* SPDX-License-Identifier: MIT */
/* UDP and TCP have ports of their own. */
#include "case.h"

const struct scenario scenario = {
	.attempt = { .type = SOCK_DGRAM },
	.run_holder = run_listener,
};
