/* SPDX-License-Identifier: MIT */
/* Which addresses are this machine's own, told once for IPv4, IPv6 and IPv4 inside IPv6: the kernel
 * side sends a connection elsewhere by it. */
#include <stdint.h>

#include "bpf/abi.h"
#include "bpf/loopback.h"

#include "base/net.h"
#include "fuzz/fuzz.h"

/* The same in the words of base/net.h. */
static bool is_own(uint8_t family, const struct net_addr *a)
{
	struct net_addr ipv4 = { 0 };

	if (net_addr_is_mapped(family, a))
		memcpy(ipv4.bytes, a->bytes + 12, 4);
	return net_addr_is_loopback(family, a) || net_addr_is_any(family, a) ||
	       (net_addr_is_mapped(family, a) && net_addr_is_loopback(AF_INET, &ipv4));
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct net_addr a = { 0 }, mapped = { 0 };
	abi_u32 words[4];

	memcpy(a.bytes, bytes, size < sizeof(a.bytes) ? size : sizeof(a.bytes));
	memcpy(words, a.bytes, sizeof(words));
	must(loopback_has_ipv4(words[0]) == is_own(AF_INET, &a));
	must(loopback_has_ipv6(words[0], words[1], words[2], words[3]) == is_own(AF_INET6, &a));

	/* an IPv4 address is the same one inside an IPv6 address */
	mapped.bytes[10] = mapped.bytes[11] = 0xff;
	memcpy(mapped.bytes + 12, a.bytes, 4);
	memcpy(words, mapped.bytes, sizeof(words));
	must(loopback_has_ipv6(words[0], words[1], words[2], words[3]) == is_own(AF_INET, &a));
	return 0;
}
