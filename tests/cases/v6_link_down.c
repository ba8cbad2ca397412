/* SPDX-License-Identifier: MIT */
/* The link went down, and its IPv6 addresses with it; IPv4 addresses would have stayed. */
#include "case.h"

/* A link in use has; the kernel's own multicast reports are the first. */
static bool has_sent(struct scene *s)
{
	unsigned long packets = 0;
	FILE *devices = fopen("/proc/self/net/dev", "re");
	char line[512];

	need(devices);
	while (!packets && fgets(line, sizeof(line), devices))
		sscanf(line, " case0: %*u %*u %*u %*u %*u %*u %*u %*u %*u %lu", &packets);
	fclose(devices);
	return packets;
}

static void lose_link(struct scene *s)
{
	command("ip link add case0 type veth peer name case1");
	command("ip link set case0 up && ip link set case1 up");
	command("ip addr add 2001:db8::1/64 dev case0 nodad");
	await(has_sent, s);
	command("ip link set case0 down");
}

const struct scenario scenario = {
	.verdict = "v6_link_down",
	.error = EADDRNOTAVAIL,
	.attempt = { .family = AF_INET6, .addr = "2001:db8::1" },
	.set_up = lose_link,
	.remedy_command = "ip link set case0 up && "
			  "ip addr add 2001:db8::1/64 dev case0 nodad",
};
