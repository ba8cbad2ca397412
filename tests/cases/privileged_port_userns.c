/* SPDX-License-Identifier: MIT */
/* Root of a user namespace is nobody where the network namespace belongs to another. */
#include "case.h"

static void enter_user_namespace(struct scene *s)
{
	need(unshare(CLONE_NEWUSER) == 0);
}

static void lower_the_start(struct scene *s)
{
	write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "80");
}

const struct scenario scenario = {
	.verdict = "privileged_port_userns",
	.live = "free", /* for root of the machine */
	.error = EACCES,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "127.0.0.1", .port = 80 },
	.prepare = enter_user_namespace,
	.remedy = lower_the_start,
};
