/* SPDX-License-Identifier: MIT */
/* listen() without bind(), and every port of the range is taken. */
#include "case.h"

#define FIRST 40000
#define LAST  40003

static void run_greedy(struct scene *s)
{
	for (s->holder.port = FIRST; s->holder.port <= LAST; s->holder.port++)
		holder_bind(s);
	tell(s, 0);
}

static void take_all(struct scene *s)
{
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003");
	s->first = actor_start(s, "holder", run_greedy);
	may_be_named(s, s->first.pid);
}

static struct outcome listen_unbound(struct scene *s)
{
	return try_listen(endpoint_open(&s->attempt));
}

static void widen_range(struct scene *s)
{
	(void)s;
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40100");
}

const struct scenario scenario = {
	.verdict = "ephemeral_exhausted",
	.live = "", /* no port to ask about */
	.error = EADDRINUSE,
	.call = CALL_LISTEN,
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0", .any_port = true },
	.set_up = take_all,
	.try = listen_unbound,
	.remedy = widen_range,
};
