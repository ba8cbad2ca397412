/* SPDX-License-Identifier: MIT */
/*
 * A client closed its connection first; the kernel remembers its source port for a minute, and no
 * server was ever there whose flags would matter.  The peer's port is no well-known one: what tells
 * is that connect() began to use the port.
 */
#include "case.h"

static void run_server(struct scene *s)
{
	int fd, listener = holder_listen(s);

	tell(s, local_port(listener));
	fd = accept(listener, NULL, NULL);
	need(fd >= 0);
	tell(s, 0);
	close(fd);
	tell(s, 0);
}

static void run_client_closing(struct scene *s)
{
	int fd = connect_to(s->port);
	uint16_t port = local_port(fd);

	close(fd);
	tell(s, port);
}

static void start_outgoing(struct scene *s)
{
	s->server = actor_start(s, "server", run_server);
	s->port = (uint16_t)s->server.told;
	s->client = actor_start(s, "client", run_client_closing);
	actor_step(&s->server); /* has accepted it, */
	actor_step(&s->server); /* and hangs up as well */
	s->port = (uint16_t)s->client.told;
	await_state(s, STATE_TIME_WAIT);
}

const struct scenario scenario = {
	.verdict = "outgoing_time_wait",
	.holder = { .addr = "127.0.0.1", .any_port = true },
	.attempt = { .reuseaddr = true },
	.set_up = start_outgoing,
	.remedy = destroy_sockets,
};
