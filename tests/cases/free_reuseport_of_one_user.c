/* SPDX-License-Identifier: MIT */
/* SO_REUSEPORT on both sides, of one user: they share. */
#include "case.h"

static void start_willing(struct scene *s)
{
	s->first = actor_start(s, "holder", run_listener);
	may_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0", .reuseport = true, .user = 1 },
	.attempt = { .addr = "0.0.0.0", .reuseport = true, .user = 1 },
	.set_up = start_willing,
};
