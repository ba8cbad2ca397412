/* SPDX-License-Identifier: MIT */
/* A process got the listening socket by SCM_RIGHTS; who made it has left. */
#include "case.h"
#include "case_pass.h"

static int ends[2];

static void run_giver(struct scene *s)
{
	pass_descriptor(ends[0], holder_listen(s));
	tell(s, 0);
}

static void run_taker(struct scene *s)
{
	take_descriptor(ends[1]);
	tell(s, 0);
}

static void pass_it_on(struct scene *s)
{
	struct actor giver;

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	giver = actor_start(s, "giver", run_giver);
	s->first = actor_start(s, "taker", run_taker);
	must_be_named(s, s->first.pid);
	actor_kill(&giver);
	close(ends[0]);
	close(ends[1]);
}

const struct scenario scenario = {
	.verdict = "fd_passed",
	.error = EADDRINUSE,
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.set_up = pass_it_on,
	.remedy = stop_holder,
};
