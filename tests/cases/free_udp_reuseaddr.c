/* SPDX-License-Identifier: MIT */
/* Any two UDP sockets with SO_REUSEADDR share a port. */
#include "case.h"

static void start_willing(struct scene *s)
{
	s->first = actor_start(s, "holder", run_bound);
	may_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .type = SOCK_DGRAM, .addr = "0.0.0.0", .reuseaddr = true },
	.attempt = { .type = SOCK_DGRAM, .addr = "0.0.0.0", .reuseaddr = true },
	.set_up = start_willing,
};
