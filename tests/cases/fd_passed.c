/* SPDX-License-Identifier: MIT */
/* A process got the listening socket by SCM_RIGHTS; who made it has left. */
#include "case.h"
#include "case_pass.h"

static void run_taker(struct scene *s)
{
	take_descriptor(pass_ends[1]);
	tell(s, 0);
}

static void pass_it_on(struct scene *s)
{
	start_receiver(s, run_taker);
	must_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.verdict = "fd_passed",
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.set_up = pass_it_on,
	.remedy = stop_holder,
};
