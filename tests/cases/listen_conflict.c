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

static void start_holder(struct scene *s)
{
	s->first = actor_start(s, "holder", run_bound_then_listener);
	must_be_named(s, s->first.pid);
}

/* A holder that a command has just ended listens until the kernel has taken it apart. */
static void bind_too(struct scene *s)
{
	s->fd = endpoint_open(&s->attempt);
	for (int ms = 0; endpoint_bind(s->fd, &s->attempt, s->port) != 0; ms++) {
		need(ms < CASE_DEADLINE_MS);
		usleep(1000);
	}
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
	.error = EADDRINUSE,
	.call = CALL_LISTEN,
	.holder = { .addr = "127.0.0.1", .reuseaddr = true },
	.attempt = { .addr = "127.0.0.1", .reuseaddr = true },
	.set_up = start_holder,
	.prepare = bind_too,
	.arm = listen_as_first,
	.try = listen_as_second,
	.remedy = stop_holder,
};
