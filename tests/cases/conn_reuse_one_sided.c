/* SPDX-License-Identifier: MIT */
/* The new server has SO_REUSEADDR; the old one's open connection has not. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_keeping);
	must_be_named(s, s->server.pid);
}

const struct scenario scenario = {
	.verdict = "conn_reuse_one_sided",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0", .reuseaddr = true },
	.set_up = start,
	.remedy = destroy_sockets,
};
