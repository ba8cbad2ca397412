/* SPDX-License-Identifier: MIT */
/* The holder is bound to a device, the victim to none: it would get that device's packets, too. */
#include "case.h"

static void bind_to_another_device(struct scene *s)
{
	s->attempt.device = "case0";
}

const struct scenario scenario = {
	.verdict = "device_overlap",
	.holder = { .device = "lo" },
	.set_up_command = "ip link add case0 type veth peer name case1",
	.run_holder = run_listener,
	.remedy = bind_to_another_device,
};
