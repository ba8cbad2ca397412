/* SPDX-License-Identifier: MIT */
/* The listener is closed; a connection that it accepted keeps the port. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_keeping);
	must_be_named(s, s->server.pid);
}

/* The client first, or the server's side would be in TIME_WAIT for a minute. */
static void close_connection(struct scene *s)
{
	actor_kill(&s->client);
	actor_step(&s->server);
}

const struct scenario scenario = {
	.verdict = "conn_of_closed_listener",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0" },
	.set_up = start,
	.remedy = close_connection,
};
