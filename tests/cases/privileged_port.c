/* SPDX-License-Identifier: MIT */
/* A port below ip_unprivileged_port_start, and no CAP_NET_BIND_SERVICE. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "privileged_port",
	.error = EACCES,
	.attempt = { .addr = "127.0.0.1", .port = 80, .user = 1 },
	.remedy_command = "echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start",
};
