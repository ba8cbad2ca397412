/* SPDX-License-Identifier: MIT */
/* The same of a connection that is still being made: its server's queue is full. */
#include "case.h"

#define QUEUE_FILLED_BY 4 /* more than a backlog of 0 takes */

static void run_busy_server(struct scene *s)
{
	need(listen(holder_bind(s), 0) == 0);
	tell(s, 0);
}

static void run_connecting(struct scene *s)
{
	const struct endpoint e = { .addr = "127.0.0.1" };
	int fd = -1;

	for (int i = 0; i < QUEUE_FILLED_BY; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		need(endpoint_connect(fd, &e, s->port) < 0 && errno == EINPROGRESS);
	}
	tell(s, local_port(fd));
}

static void start_connecting(struct scene *s)
{
	s->server = actor_start(s, "server", run_busy_server);
	s->client = actor_start(s, "client", run_connecting);
	s->port = (uint16_t)s->client.told;
	must_be_named(s, s->client.pid);
}

const struct scenario scenario = {
	.verdict = "outgoing_connecting",
	.holder = { .addr = "127.0.0.1" },
	.set_up = start_connecting,
	.remedy = kill_client,
};
