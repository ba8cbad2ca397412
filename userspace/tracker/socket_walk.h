/* SPDX-License-Identifier: MIT */
/*
 * The sockets that serve, row by row in order of port and cookie, each after its holders were
 * asked: what is shown is alive.  A walk holds nothing of the inventory, and its place is all that
 * it knows: another one that begins with that place, in whichever turn of the loop, goes on behind
 * the last row with what is there then.
 */
#ifndef TRACKER_SOCKET_WALK_H
#define TRACKER_SOCKET_WALK_H

#include "inventory/inventory.h"

/* Rows whose holders are asked in one call to the kernel: a millisecond. */
#define SOCKET_WALK_ROWS 512

struct socket_walk {
	struct inventory *inv;
	uint32_t netns;		      /* 0 = of all namespaces */
	uint16_t port;		      /* 0 = of all ports */
	bool idle_too;		      /* also sockets that are bound and do not serve */
	struct inventory_place place; /* of the last row; zeroes = before the first one */
	size_t asked;		      /* rows ahead that were */
	uint16_t verified;	      /* the port whose holders were looked at; 0 = none */
};

/*
 * The next row, NULL behind the last one; it is borrowed until the inventory changes, which the
 * next call may do.  0, negative errno.
 */
int socket_walk_next(struct socket_walk *walk, const struct socket_row **ret);

#endif
