/* SPDX-License-Identifier: MIT */
/* The kernel gave the UDP port to a client that asked for none. */
#include "case.h"

static void run_sender(struct scene *s)
{
	const struct endpoint peer = { .type = SOCK_DGRAM, .addr = "127.0.0.1" };
	struct sockaddr_storage a;
	socklen_t n = endpoint_address(&peer, 9, &a);
	int fd = endpoint_open(&peer);

	need(sendto(fd, "", 1, 0, (struct sockaddr *)&a, n) == 1);
	tell(s, local_port(fd));
}

static void start_sender(struct scene *s)
{
	s->first = actor_start(s, "client", run_sender);
	s->port = (uint16_t)s->first.told;
	must_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.verdict = "udp_ephemeral",
	.attempt = { .type = SOCK_DGRAM },
	.set_up = start_sender,
	.remedy = stop_holder,
};
