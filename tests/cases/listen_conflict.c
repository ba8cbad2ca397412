/* SPDX-License-Identifier: MIT */
/* Two sockets with SO_REUSEADDR bind in peace; the second listen() is refused. */
#include "case.h"

static void run_bound_then_listener(struct scene *s)
{
	int fd = holder_bind(s);

	tell(s, 0);
	need(listen(fd, 8) == 0);
	tell(s, 0);
}

static bool binds(struct scene *s)
{
	return endpoint_bind(s->fd, &s->attempt, s->port) == 0;
}

/* A holder that was told to end may still listen. */
static void bind_too(struct scene *s)
{
	s->fd = endpoint_open(&s->attempt);
	await(binds, s);
}

static struct outcome listen_as_second(struct scene *s)
{
	struct outcome o = try_listen(s->fd);

	close(s->fd);
	return o;
}

static void listen_as_first(struct scene *s)
{
	may_be_named(s, s->victim.pid); /* its own socket is on the port, too */
	actor_step(&s->first);
}

const struct scenario scenario = {
	.verdict = "listen_conflict",
	.live = "reuseaddr_vs_listener", /* who asks has no socket yet */
	.call = CALL_LISTEN,
	.holder = { .addr = "127.0.0.1", .reuseaddr = true },
	.attempt = { .addr = "127.0.0.1", .reuseaddr = true },
	.run_holder = run_bound_then_listener,
	.prepare = bind_too,
	.arm = listen_as_first,
	.try = listen_as_second,
	.remedy = stop_holder,
};
