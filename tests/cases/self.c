/* SPDX-License-Identifier: MIT */
/* A server binds :: and then 0.0.0.0, and is in its own way. */
#include "case.h"

static void listen_on_v6(struct scene *s)
{
	s->holder.v6only = s->remedied;
	holder_listen(s);
}

static void name_victim(struct scene *s)
{
	must_be_named(s, s->victim.pid);
}

static void leave_the_other_family(struct scene *s)
{
	(void)s; /* the next victim asks for IPV6_V6ONLY, see listen_on_v6() */
}

const struct scenario scenario = {
	.verdict = "self",
	.live = "dual_stack", /* nobody in particular asks */
	.error = EADDRINUSE,
	.holder = { .family = AF_INET6, .addr = "::" },
	.attempt = { .addr = "0.0.0.0" },
	.prepare = listen_on_v6,
	.arm = name_victim,
	.remedy = leave_the_other_family,
	.comes_back = true,
};
