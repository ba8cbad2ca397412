/* SPDX-License-Identifier: MIT */
/* The listening socket is in a message that its receiver has not read. */
#include "case.h"
#include "case_pass.h"

static int ends[2];

static void run_giver(struct scene *s)
{
	pass_descriptor(ends[0], holder_listen(s));
	tell(s, 0);
}

static void run_receiver(struct scene *s)
{
	close(ends[0]);
	tell(s, 0);
	close(take_descriptor(ends[1]));
	tell(s, 0);
}

static void send_and_leave(struct scene *s)
{
	struct actor giver;

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	giver = actor_start(s, "giver", run_giver);
	s->first = actor_start(s, "receiver", run_receiver);
	may_be_named(s, s->first.pid);
	actor_kill(&giver);
	close(ends[0]);
	close(ends[1]);
}

const struct scenario scenario = {
	.verdict = "in_flight",
	.error = EADDRINUSE,
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.set_up = send_and_leave,
	.remedy = let_holder_go_on,
};
