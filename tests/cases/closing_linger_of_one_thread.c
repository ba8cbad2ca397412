/* SPDX-License-Identifier: MIT */
/* close() waits for data that the peer does not take (SO_LINGER), in a process without threads. */
#include <sys/syscall.h>

#include "case.h"

static bool sleeps_in_close(struct scene *s)
{
	return sleeps_in(s->server.pid, SYS_close);
}

static void run_lingering(struct scene *s)
{
	int fd = serve_lingering(s);

	tell(s, 0);
	close(fd);
}

static void start_lingering(struct scene *s)
{
	start_connection(s, run_lingering);
	must_be_named(s, s->server.pid);
	actor_go(&s->server);
	await(sleeps_in_close, s);
}

const struct scenario scenario = {
	.verdict = "closing_linger",
	.error = EADDRINUSE,
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .addr = "0.0.0.0" },
	.set_up = start_lingering,
	.remedy = kill_client,
};
