/* SPDX-License-Identifier: MIT */
/* One server for IPv6 alone, one for IPv4. */
#include "case.h"

static void start_v4(struct scene *s)
{
	s->first = actor_start(s, "holder", run_listener);
	may_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0" },
	.attempt = { .family = AF_INET6, .addr = "::", .v6only = true },
	.set_up = start_v4,
};
