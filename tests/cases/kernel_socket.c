/* SPDX-License-Identifier: MIT */
/* The kernel itself has the port: a VXLAN device. */
#include "case.h"

static void add_device(struct scene *s)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "ip link add case0 type vxlan id 7 dstport %u dev lo 2>/dev/null", s->port);
	if (system(line) != 0) /* NOLINT: the case's own words */
		skip("no VXLAN here");
	command("ip link set case0 up");
}

const struct scenario scenario = {
	.verdict = "kernel_socket",
	.attempt = { .type = SOCK_DGRAM },
	.set_up = add_device,
	.remedy_command = "ip link del case0",
};
