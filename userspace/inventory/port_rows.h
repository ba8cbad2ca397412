/* SPDX-License-Identifier: MIT */
/*
 * The rows of one port, in order of cookie.  Anybody can open as many sockets on a port as
 * 127.0.0.0/8 has addresses, and the kernel lists them in no order: so they are a treap, which is
 * entered, left and continued behind any cookie in logarithmic time, and needs no memory of its
 * own.  With the one or two rows that a port has mostly, it is a list.
 */
#ifndef INVENTORY_PORT_ROWS_H
#define INVENTORY_PORT_ROWS_H

#include <stdint.h>

struct row;

/* Where a row hangs; part of it. */
struct port_links {
	struct row *less, *more;
};

/* *root: NULL = no rows.  The row's cookie must be in none of them. */
void port_rows_add(struct row **root, struct row *row);
/* The row must be one of them, with the cookie that it was added by. */
void port_rows_remove(struct row **root, struct row *row);

/* The first one behind the cookie; no socket's cookie is 0.  NULL: there is none. */
struct row *port_rows_after(struct row *root, uint64_t cookie);

#define PORT_ROWS_FOREACH(root, row)                    \
	for ((row) = port_rows_after((root), 0); (row); \
	     (row) = port_rows_after((root), (row)->view.cookie))

#endif
