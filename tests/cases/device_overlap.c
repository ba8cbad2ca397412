/* SPDX-License-Identifier: MIT */
/* The holder is bound to a device, the victim to none: it would get that device's packets, too. */
#include "case.h"

static void start_on_device(struct scene *s)
{
	command("ip link add case0 type veth peer name case1");
	start_holder(s, run_listener);
}

static void bind_to_another_device(struct scene *s)
{
	s->attempt.device = "case0";
}

const struct scenario scenario = {
	.verdict = "device_overlap",
	.error = EADDRINUSE,
	.holder = { .addr = "0.0.0.0", .device = "lo" },
	.attempt = { .addr = "0.0.0.0" },
	.set_up = start_on_device,
	.remedy = bind_to_another_device,
};
