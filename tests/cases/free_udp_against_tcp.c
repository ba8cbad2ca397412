/* SPDX-License-Identifier: MIT */
/* UDP and TCP have ports of their own. */
#include "case.h"

static void start_tcp(struct scene *s)
{
	s->first = actor_start(s, "holder", run_listener);
	may_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .type = SOCK_DGRAM, .addr = "0.0.0.0" },
	.set_up = start_tcp,
};
