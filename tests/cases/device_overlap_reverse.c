/* SPDX-License-Identifier: MIT */
/* The victim asks for one device; the listener serves them all. */
#include "case.h"

static void bind_to_another_device(struct scene *s)
{
	command("ip link add case0 type veth peer name case1");
	s->holder.device = "case0";
	restart_listener(s);
}

const struct scenario scenario = {
	.verdict = "device_overlap",
	.attempt = { .device = "lo" },
	.run_holder = run_listener,
	.remedy = bind_to_another_device,
};
