/* SPDX-License-Identifier: MIT */
/* Another host of the link has the address: the kernel has given it up. */
#include "case.h"

static bool detection_has_failed(struct scene *s)
{
	return system("ip addr show dev case1 | grep -q dadfailed") == 0; /* NOLINT */
}

static void add_address_twice(struct scene *s)
{
	command("ip link add case0 type veth peer name case1");
	command("ip link set case0 up && ip link set case1 up");
	command("ip addr add 2001:db8::1/64 dev case0 nodad");
	command("ip addr add 2001:db8::1/64 dev case1");
	await(detection_has_failed, s);
	command("ip addr del 2001:db8::1/64 dev case0");
}

const struct scenario scenario = {
	.verdict = "v6_dadfailed",
	.error = EADDRNOTAVAIL,
	.attempt = { .family = AF_INET6, .addr = "2001:db8::1" },
	.set_up = add_address_twice,
	.remedy_command = "ip addr del 2001:db8::1/64 dev case1 && "
			  "ip addr add 2001:db8::1/64 dev case1 nodad",
};
