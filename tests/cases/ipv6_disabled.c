/* SPDX-License-Identifier: MIT */
/* net.ipv6.conf.all.disable_ipv6 has taken every IPv6 address away. */
#include "case.h"

static void disable(struct scene *s)
{
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
}

static void enable(struct scene *s)
{
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
}

const struct scenario scenario = {
	.verdict = "ipv6_disabled",
	.error = EADDRNOTAVAIL,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .family = AF_INET6, .addr = "::1" },
	.set_up = disable,
	.remedy = enable,
};
