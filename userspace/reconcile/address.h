/* SPDX-License-Identifier: MIT */
/*
 * Which state an address is in, by the texts that the kernel has of its network namespace below
 * /proc/PID/net.  Pure.
 */
#ifndef RECONCILE_ADDRESS_H
#define RECONCILE_ADDRESS_H

#include "base/net.h"
#include "reconcile/why.h"

/* ADDRESS_LOCAL for any address when the table is empty: such a namespace takes every address. */
enum why_address_state address_in_fib_trie(const char *text, const uint8_t v4[4]);
enum why_address_state address_in_if_inet6(const char *text, const uint8_t v6[16]);

struct address_tables {
	const char *if_inet6, *igmp, *dev; /* NULL = cannot be read */
};

/* Of an IPv6 address, with what is not in its flags: that a link is down.  *ret_ipv6_disabled is
 * left alone where that is not known. */
enum why_address_state address_v6(const struct address_tables *t, const struct net_addr *a,
				  bool *ret_ipv6_disabled);

#endif
