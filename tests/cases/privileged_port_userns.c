/* SPDX-License-Identifier: MIT */
/* Root of a user namespace is nobody where the network namespace belongs to another. */
#include "case.h"

static void enter_user_namespace(struct scene *s)
{
	need(unshare(CLONE_NEWUSER) == 0);
}

const struct scenario scenario = {
	.verdict = "privileged_port_userns",
	.live = "free", /* for root of the machine */
	.error = EACCES,
	.attempt = { .addr = "127.0.0.1", .port = 80 },
	.prepare = enter_user_namespace,
	.remedy_command = "echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start",
};
