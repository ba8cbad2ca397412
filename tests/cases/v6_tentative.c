/* SPDX-License-Identifier: MIT */
/* The kernel is still asking whether somebody else has the address. */
#include "case.h"

static void add_address(struct scene *s)
{
	command("ip link add case0 type veth peer name case1");
	write_file("/proc/sys/net/ipv6/conf/case0/dad_transmits", "1000"); /* one a second */
	command("ip link set case0 up && ip link set case1 up");
	command("ip addr add 2001:db8::1/64 dev case0");
}

static void do_without_detection(struct scene *s)
{
	command("ip addr del 2001:db8::1/64 dev case0");
	command("ip addr add 2001:db8::1/64 dev case0 nodad");
}

const struct scenario scenario = {
	.verdict = "v6_tentative",
	.error = EADDRNOTAVAIL,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .family = AF_INET6, .addr = "2001:db8::1" },
	.set_up = add_address,
	.remedy = do_without_detection,
};
