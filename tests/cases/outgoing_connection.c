/* SPDX-License-Identifier: MIT */
/* The port is the source port of somebody's outgoing connection. */
#include "case.h"

static void run_outgoing(struct scene *s)
{
	int fd = connect_to(s->port);

	tell(s, local_port(fd));
	close(fd);
}

static void start_outgoing(struct scene *s)
{
	s->server = actor_start(s, "server", run_listener);
	s->client = actor_start(s, "client", run_outgoing);
	s->port = (uint16_t)s->client.told;
	must_be_named(s, s->client.pid);
}

const struct scenario scenario = {
	.verdict = "outgoing_connection",
	.holder = { .addr = "127.0.0.1" },
	.set_up = start_outgoing,
	.remedy = destroy_sockets,
};
