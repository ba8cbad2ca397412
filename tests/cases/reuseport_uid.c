/* SPDX-License-Identifier: MIT */
/* SO_REUSEPORT on both sides, but of two users. */
#include "case.h"

static void run_as_one_user(struct scene *s)
{
	s->attempt.uid = s->holder.uid;
}

const struct scenario scenario = {
	.verdict = "reuseport_uid",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0", .reuseport = true, .uid = 64001 },
	.attempt = { .addr = "0.0.0.0", .reuseport = true, .uid = 64002 },
	.set_up = start_listener,
	.remedy = run_as_one_user,
};
