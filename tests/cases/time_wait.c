/* SPDX-License-Identifier: MIT */
/* The server closed first; the kernel remembers the connection for a minute. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_closing);
	actor_kill(&s->client);
	await_state(s, STATE_TIME_WAIT);
}

const struct scenario scenario = {
	.verdict = "time_wait",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0" },
	.set_up = start,
	.remedy = destroy_sockets,
};
