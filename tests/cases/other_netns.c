/* SPDX-License-Identifier: MIT */
/* The port is taken in another network namespace: nobody is in the way here. */
#include "case.h"

static void run_elsewhere(struct scene *s)
{
	need(unshare(CLONE_NEWNET) == 0);
	command("ip link set lo up");
	run_listener(s);
}

const struct scenario scenario = {
	.live = "other_netns",
	.run_holder = run_elsewhere,
};
