/* SPDX-License-Identifier: MIT */
/* Two servers, two devices. */
#include "case.h"

const struct scenario scenario = {
	.holder = { .device = "case0" },
	.attempt = { .device = "lo" },
	.set_up_command = "ip link add case0 type veth peer name case1",
	.run_holder = run_listener,
};
