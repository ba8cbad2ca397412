/* SPDX-License-Identifier: MIT */
/* SO_REUSEPORT on both sides, but of two users. */
#include "case.h"

static void run_as_one_user(struct scene *s)
{
	s->attempt.user = s->holder.user;
}

const struct scenario scenario = {
	.verdict = "reuseport_uid",
	.holder = { .reuseport = true, .user = 1 },
	.attempt = { .reuseport = true, .user = 2 },
	.run_holder = run_listener,
	.remedy = run_as_one_user,
};
