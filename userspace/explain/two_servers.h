/* SPDX-License-Identifier: MIT */
/*
 * Two servers on one port.  No bind fails and no error tells of it, and whoever connects meets the
 * wrong one: one listens for IPv4 and the other for IPv6, or both set SO_REUSEPORT and the kernel
 * deals connections out between them.
 */
#ifndef EXPLAIN_TWO_SERVERS_H
#define EXPLAIN_TWO_SERVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "inventory/inventory.h"

#define TWO_SERVERS_WARNING_SIZE 256

/*
 * True, and a sentence in ret, when two of the port's listeners are servers of their own; false and
 * "" else.  A master and its workers share as one server; the two proxies that docker starts split
 * as one.
 */
bool two_servers_warning(const struct inventory *inv, uint32_t netns, uint16_t protocol,
			 uint16_t port, char ret[TWO_SERVERS_WARNING_SIZE]);

/* The warning of a port is the same for all of its rows, and to look for it is more than a row. */
struct port_warning {
	uint16_t port; /* 0 = of none yet */
	char text[TWO_SERVERS_WARNING_SIZE];
};

/* NULL for a protocol that has no such thing; "" = none.  Valid until the next call. */
const char *two_servers_warning_of_row(struct port_warning *w, const struct inventory *inv,
				       const struct socket_row *row);

#endif
