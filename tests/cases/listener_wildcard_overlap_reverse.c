/* SPDX-License-Identifier: MIT */
/* The victim's 0.0.0.0 covers the address of the listener. */
#include "case.h"

static void bind_specifically(struct scene *s)
{
	s->attempt.addr = "127.0.0.1";
}

const struct scenario scenario = {
	.verdict = "listener_wildcard_overlap",
	.holder = { .addr = "127.0.0.2" },
	.run_holder = run_listener,
	.remedy = bind_specifically,
};
