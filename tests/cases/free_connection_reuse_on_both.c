/* SPDX-License-Identifier: MIT */
/* Nor do open connections of the old server. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_keeping);
	may_be_named(s, s->server.pid);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0", .reuseaddr = true },
	.attempt = { .addr = "0.0.0.0", .reuseaddr = true },
	.set_up = start,
};
