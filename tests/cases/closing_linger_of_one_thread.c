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

static void begin_to_close(struct scene *s)
{
	actor_go(&s->server);
	await(sleeps_in_close, s);
}

const struct scenario scenario = {
	.verdict = "closing_linger",
	.maybe_incomplete = true,
	.run_server = run_lingering,
	.arm = begin_to_close,
	.remedy = kill_client,
};
