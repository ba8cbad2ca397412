/* SPDX-License-Identifier: MIT */
/* Two servers, two devices. */
#include "case.h"

static void start_on_another(struct scene *s)
{
	command("ip link add case0 type veth peer name case1");
}

const struct scenario scenario = {
	.live = "free",
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "0.0.0.0", .device = "case0" },
	.attempt = { .addr = "0.0.0.0", .device = "lo" },
	.set_up = start_on_another,
	.run_holder = run_listener,
};
