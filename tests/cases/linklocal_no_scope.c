/* SPDX-License-Identifier: MIT */
/* A link-local address means nothing without its link. */
#include "case.h"

static void say_which_link(struct scene *s)
{
	s->attempt.scope = if_nametoindex("lo");
}

const struct scenario scenario = {
	.verdict = "linklocal_no_scope",
	.error = EINVAL,
	.attempt = { .family = AF_INET6, .addr = "fe80::1" },
	.set_up_command = "ip addr add fe80::1/64 dev lo nodad",
	.remedy = say_which_link,
};
