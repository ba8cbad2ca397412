/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Does a connection to this address end on this machine's own loopback device?  127.0.0.0/8 and
 * ::1, both with an IPv4 address inside an IPv6 one (::ffff:127.0.0.1), and the wildcards, which a
 * connect() takes for them (ip_route_connect(), __ip6_datagram_connect()).  Pure: both the kernel
 * side and its tests in user space include it, after the fixed-width types of abi.h.
 */
#ifndef BPF_LOOPBACK_H
#define BPF_LOOPBACK_H

/* `addr` is in network order, as the kernel has it in a register: its first byte decides. */
static inline int loopback_has_ipv4(abi_u32 addr_be32)
{
	const abi_u8 *bytes = (const abi_u8 *)&addr_be32;

	return bytes[0] == 127 || addr_be32 == 0;
}

static inline int loopback_has_ipv6(abi_u32 a, abi_u32 b, abi_u32 c, abi_u32 d)
{
	const abi_u8 *middle = (const abi_u8 *)&c, *last = (const abi_u8 *)&d;

	if (a || b)
		return 0;
	if (middle[0] == 0 && middle[1] == 0 && middle[2] == 0xff && middle[3] == 0xff)
		return loopback_has_ipv4(d);
	return c == 0 && last[0] == 0 && last[1] == 0 && last[2] == 0 && last[3] <= 1;
}

#endif
