/* SPDX-License-Identifier: MIT */
/* Ten thousand sockets share the port: SO_REUSEPORT of one process. */
#include <sys/resource.h>

#include "case.h"

#define CROWD 10000

static void run_crowd(struct scene *s)
{
	struct rlimit files = { CROWD + 100, CROWD + 100 };

	need(setrlimit(RLIMIT_NOFILE, &files) == 0);
	for (int i = 0; i < CROWD; i++)
		holder_listen(s);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "reuseport_missing_victim",
	.maybe_incomplete = true,
	.holder = { .reuseport = true },
	.run_holder = run_crowd,
	.remedy = stop_holder,
};
