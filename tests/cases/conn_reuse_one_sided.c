/* SPDX-License-Identifier: MIT */
/* The new server has SO_REUSEADDR; the old one's open connection has not. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "conn_reuse_one_sided",
	.attempt = { .reuseaddr = true },
	.run_server = run_server_keeping,
	.remedy = destroy_sockets,
};
