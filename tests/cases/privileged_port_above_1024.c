/* SPDX-License-Identifier: MIT */
/* The namespace has made more ports privileged than usual. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "privileged_port",
	.error = EACCES,
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up_command = "echo 32768 >/proc/sys/net/ipv4/ip_unprivileged_port_start",
	.remedy_command = "echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start",
};
