/* SPDX-License-Identifier: MIT */
/* A link-local address means nothing without its link. */
#include "case.h"

static void add_address(struct scene *s)
{
	command("ip addr add fe80::1/64 dev lo nodad");
}

static void say_which_link(struct scene *s)
{
	s->attempt.scope = if_nametoindex("lo");
}

const struct scenario scenario = {
	.verdict = "linklocal_no_scope",
	.live = "linklocal_no_scope",
	.error = EINVAL,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .family = AF_INET6, .addr = "fe80::1" },
	.set_up = add_address,
	.remedy = say_which_link,
};
