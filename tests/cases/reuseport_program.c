/* SPDX-License-Identifier: MIT */
/* SO_ATTACH_REUSEPORT_CBPF before bind() makes a group of its own, which cannot be merged. */
#include "case.h"

static void attach_later(struct scene *s)
{
	s->attempt.program = false;
}

const struct scenario scenario = {
	.verdict = "reuseport_program",
	.live = "free", /* a question cannot tell of a program */
	.holder = { .reuseport = true },
	.attempt = { .reuseport = true, .program = true },
	.run_holder = run_listener,
	.remedy = attach_later,
};
