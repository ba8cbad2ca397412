/* SPDX-License-Identifier: MIT */
/* A server starts twice within one process: a hot reload that forgot to close. */
#include "case.h"

static void listen_first(struct scene *s)
{
	if (!s->remedied)
		holder_listen(s);
}

static void name_victim(struct scene *s)
{
	must_be_named(s, s->victim.pid);
}

static void start_once(struct scene *s)
{
	(void)s; /* the next victim does, see listen_first() */
}

const struct scenario scenario = {
	.verdict = "self",
	.live = "listener",
	.error = EADDRINUSE,
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.prepare = listen_first,
	.arm = name_victim,
	.remedy = start_once,
	.comes_back = true,
};
