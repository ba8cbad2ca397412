/* SPDX-License-Identifier: MIT */
/* Two servers, two addresses. */
#include "case.h"

static void start_on_another(struct scene *s)
{
	s->first = actor_start(s, "holder", run_listener);
	may_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "127.0.0.2" },
	.attempt = { .addr = "127.0.0.1" },
	.set_up = start_on_another,
};
