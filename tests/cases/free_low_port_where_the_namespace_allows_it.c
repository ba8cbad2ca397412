/* SPDX-License-Identifier: MIT */
/* A low port in a namespace that lowered ip_unprivileged_port_start, as docker does. */
#include "case.h"

const struct scenario scenario = {
	.attempt = { .addr = "127.0.0.1", .port = 80, .user = 1 },
	.set_up_command = "echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start",
};
