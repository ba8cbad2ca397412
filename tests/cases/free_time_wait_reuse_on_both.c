/* SPDX-License-Identifier: MIT */
/* TIME_WAIT does not matter where the old server and the new one have SO_REUSEADDR. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_closing);
	actor_kill(&s->client);
	await_state(s, STATE_TIME_WAIT);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0", .reuseaddr = true },
	.attempt = { .addr = "0.0.0.0", .reuseaddr = true },
	.set_up = start,
};
