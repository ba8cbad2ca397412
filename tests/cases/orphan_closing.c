/* SPDX-License-Identifier: MIT */
/* Both sides said goodbye at once, and the server's data is still not read. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_closing_full);
	actor_step(&s->server);
	actor_step(&s->client);
	await_state(s, STATE_CLOSING);
}

const struct scenario scenario = {
	.verdict = "orphan_closing",
	.set_up = start,
	.remedy = destroy_sockets,
};
