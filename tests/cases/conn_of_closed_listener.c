/* SPDX-License-Identifier: MIT */
/* The listener is closed; a connection that it accepted keeps the port. */
#include "case.h"

/* The client first, or the server's side would be in TIME_WAIT for a minute. */
static void close_connection(struct scene *s)
{
	actor_kill(&s->client);
	actor_step(&s->server);
}

const struct scenario scenario = {
	.verdict = "conn_of_closed_listener",
	.run_server = run_server_keeping,
	.remedy = close_connection,
};
