/* SPDX-License-Identifier: MIT */
/* Whose a socket is, asked for one row after the other in order of port: the claim on a port is
 * judged once for all of its rows. */
#ifndef TRACKER_SOCKET_OWNER_H
#define TRACKER_SOCKET_OWNER_H

#include "registry/service_list.h"
#include "tracker/judge.h"

struct socket_owners {
	struct inventory *inventory;
	struct registry *registry;
	int64_t now;  /* Unix seconds */
	uid_t viewer; /* who is shown the names */

	uint16_t port;		  /* 0 = none was looked at yet */
	struct service_list list; /* the claim on it; none: empty */
	char shown[IDENTITY_MAX + 1];
	struct judgement judgement;
};
void socket_owners_deinit(struct socket_owners *o);

/* The service that a socket belongs to, and its status: names, NULL = none. */
struct socket_owner {
	const char *service, *status; /* valid until the next call */
};

/* *row becomes NULL when it is gone after the claim was judged.  0, negative errno. */
int socket_owner_find(struct socket_owners *o, const struct socket_row **row,
		      struct socket_owner *ret);

#endif
