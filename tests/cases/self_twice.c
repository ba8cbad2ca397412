/* SPDX-License-Identifier: MIT */
/* A server starts twice within one process: a hot reload that forgot to close. */
#include "case.h"

static void listen_first(struct scene *s)
{
	if (!s->remedied)
		holder_listen(s);
}

const struct scenario scenario = {
	.verdict = "self",
	.live = "listener",
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.prepare = listen_first,
	.arm = name_victim,
	.remedy = change_victim,
	.comes_back = true,
};
