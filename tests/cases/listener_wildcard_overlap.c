/* SPDX-License-Identifier: MIT */
/* The listener's 0.0.0.0 covers the address that the victim names. */
#include "case.h"

static void bind_specifically(struct scene *s)
{
	s->holder.addr = "127.0.0.2";
	restart_listener(s);
}

const struct scenario scenario = {
	.verdict = "listener_wildcard_overlap",
	.attempt = { .addr = "127.0.0.1" },
	.run_holder = run_listener,
	.remedy = bind_specifically,
};
