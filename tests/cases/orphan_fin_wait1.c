/* SPDX-License-Identifier: MIT */
/* The server closed with data that its client does not read; nobody holds that socket. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_closing_full);
	actor_step(&s->server);
	await_state(s, STATE_FIN_WAIT1);
}

const struct scenario scenario = {
	.verdict = "orphan_fin_wait1",
	.set_up = start,
	.remedy = kill_client,
};
