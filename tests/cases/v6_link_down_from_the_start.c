/* SPDX-License-Identifier: MIT */
/* The address is there, but its link is down. */
#include "case.h"

static void set_up_link(struct scene *s)
{
	write_file("/proc/sys/net/ipv6/conf/case0/accept_dad", "0"); /* no second to wait */
	command("ip link set case1 up && ip link set case0 up");
	await(is_free, s);
}

const struct scenario scenario = {
	.verdict = "v6_link_down",
	.error = EADDRNOTAVAIL,
	.attempt = { .family = AF_INET6, .addr = "2001:db8::1" },
	.set_up_command = "ip link add case0 type veth peer name case1 && "
			  "ip addr add 2001:db8::1/64 dev case0",
	.remedy = set_up_link,
};
