/* SPDX-License-Identifier: MIT */
/* Nor do open connections of the old server. */
#include "case.h"

const struct scenario scenario = {
	.holder = { .reuseaddr = true },
	.attempt = { .reuseaddr = true },
	.run_server = run_server_keeping,
};
