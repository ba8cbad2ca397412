/* SPDX-License-Identifier: MIT */
/* UDP knows SO_REUSEPORT of two users, too. */
#include "case.h"

static void run_as_one_user(struct scene *s)
{
	s->attempt.user = s->holder.user;
}

const struct scenario scenario = {
	.verdict = "reuseport_uid",
	.holder = { .type = SOCK_DGRAM, .reuseport = true, .user = 1 },
	.attempt = { .type = SOCK_DGRAM, .reuseport = true, .user = 2 },
	.run_holder = run_bound,
	.remedy = run_as_one_user,
};
