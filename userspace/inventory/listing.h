/* SPDX-License-Identifier: MIT */
/*
 * The sockets of the own network namespace as sock_diag lists them, read in parts into the table.
 *
 * A socket that only the list shows may be closing: the kernel tells of a close() when it begins,
 * lists the socket until it is done, and prepares its messages ahead.  Its CLOSE may have been
 * applied, or be lost; so a row that begins here is unsettled, and settling asks the list again.
 * Without an iterator that is no sign of anything: the holders of most sockets cannot be seen.
 */
#ifndef INVENTORY_LISTING_H
#define INVENTORY_LISTING_H

#include "inventory/internal.h"

struct listing {
	struct inventory *inv;
	int64_t now;	      /* Unix seconds */
	struct sockdiag *own; /* questions are asked in between, by the inventory's */
	size_t query;
	bool is_asked;
};

void listing_deinit(struct listing *l);

/* The next part, some 300 sockets.  0, negative errno. */
int listing_next(struct listing *l, bool *ret_more);

/* Would the list have shown it? */
bool listing_has(const struct inventory *inv, const struct row *row);

/* The protocol under which it is listed: MPTCP's subflow as TCP. */
uint8_t listing_protocol(const struct row *row);

/* Has the kernel side tell the end of a socket that neither an event nor a pass has shown. */
void listing_track(const struct inventory *inv, struct row *row);

#endif
