/* SPDX-License-Identifier: MIT */
/* Two servers, two devices. */
#include "case.h"

static void start_on_another(struct scene *s)
{
	command("ip link add case0 type veth peer name case1");
	s->first = actor_start(s, "holder", run_listener);
	may_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0", .device = "case0" },
	.attempt = { .addr = "0.0.0.0", .device = "lo" },
	.set_up = start_on_another,
};
