/* SPDX-License-Identifier: MIT */
/* The same program with the same arguments is started a second time. */
#include "case.h"

static void run_service(struct scene *s)
{
	set_arguments(s, "victim");
	run_listener(s);
}

static void start_service(struct scene *s)
{
	s->first = actor_start(s, "victim", run_service);
	must_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.verdict = "same_service",
	.live = "listener",
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.set_up = start_service,
	.remedy = stop_holder,
};
