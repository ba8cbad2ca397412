/* SPDX-License-Identifier: MIT */
/* The kernel is still asking whether somebody else has the address. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "v6_tentative",
	.error = EADDRNOTAVAIL,
	.attempt = { .family = AF_INET6, .addr = "2001:db8::1" },
	/* it asks 1000 times, once a second */
	.set_up_command = "ip link add case0 type veth peer name case1 && "
			  "echo 1000 >/proc/sys/net/ipv6/conf/case0/dad_transmits && "
			  "ip link set case0 up && "
			  "ip link set case1 up && "
			  "ip addr add 2001:db8::1/64 dev case0",
	.remedy_command = "ip addr del 2001:db8::1/64 dev case0 && "
			  "ip addr add 2001:db8::1/64 dev case0 nodad",
};
