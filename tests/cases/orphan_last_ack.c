/* SPDX-License-Identifier: MIT */
/* The client had said goodbye and does not read what the closing server still sends. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_closing_full);
	actor_step(&s->client);
	actor_step(&s->server);
	await_state(s, STATE_LAST_ACK);
}

const struct scenario scenario = {
	.verdict = "orphan_last_ack",
	.set_up = start,
	.remedy = kill_client,
};
