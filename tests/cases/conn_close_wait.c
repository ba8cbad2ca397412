/* SPDX-License-Identifier: MIT */
/* The client has said goodbye; the server never closes its side. */
#include "case.h"

static void close_client(struct scene *s)
{
	actor_step(&s->client);
	await_state(s, STATE_CLOSE_WAIT);
}

static void restart_server(struct scene *s)
{
	actor_kill(&s->server);
}

const struct scenario scenario = {
	.verdict = "conn_close_wait",
	.run_server = run_server_keeping,
	.arm = close_client,
	.remedy = restart_server,
};
