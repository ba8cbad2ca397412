/* SPDX-License-Identifier: MIT */
/* net.ipv6.conf.all.disable_ipv6 has taken every IPv6 address away. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "ipv6_disabled",
	.error = EADDRNOTAVAIL,
	.attempt = { .family = AF_INET6, .addr = "::1" },
	.set_up_command = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6",
	.remedy_command = "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6",
};
