/* SPDX-License-Identifier: MIT */
/* A server binds :: and then 0.0.0.0, and is in its own way. */
#include "case.h"

static void listen_on_v6(struct scene *s)
{
	s->holder.v6only = s->remedied;
	holder_listen(s);
}

const struct scenario scenario = {
	.verdict = "self",
	.live = "dual_stack", /* nobody in particular asks */
	.holder = { .family = AF_INET6, .addr = "::" },
	.prepare = listen_on_v6,
	.arm = name_victim,
	.remedy = change_victim,
	.comes_back = true,
};
