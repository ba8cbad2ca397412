/* SPDX-License-Identifier: MIT */
/* The client has said goodbye; the server never closes its side. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_keeping);
	actor_step(&s->client);
	must_be_named(s, s->server.pid);
	await_state(s, STATE_CLOSE_WAIT);
}

static void restart_server(struct scene *s)
{
	actor_kill(&s->server);
}

const struct scenario scenario = {
	.verdict = "conn_close_wait",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0" },
	.set_up = start,
	.remedy = restart_server,
};
