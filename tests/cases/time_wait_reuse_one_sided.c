/* SPDX-License-Identifier: MIT */
/* The new server has SO_REUSEADDR; what the old one left behind has not. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_closing);
	actor_kill(&s->client);
	await_state(s, STATE_TIME_WAIT);
}

const struct scenario scenario = {
	.verdict = "time_wait_reuse_one_sided",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0", .reuseaddr = true },
	.set_up = start,
	.remedy = destroy_sockets,
};
