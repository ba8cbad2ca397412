/* SPDX-License-Identifier: MIT */
/*
 * What is shown of a socket, and whose it is, asked for one row after the other in order of port:
 * the claim on a port is judged once for all of its rows.  Whoever writes it asks nobody.
 */
#ifndef TRACKER_FOUND_SOCKET_H
#define TRACKER_FOUND_SOCKET_H

#include "explain/holder.h"
#include "registry/service_list.h"
#include "tracker/judge.h"

struct found_sockets {
	struct inventory *inventory;
	struct registry *registry;
	int64_t now;  /* Unix seconds */
	uid_t viewer; /* whose rights count */
	uid_t user;   /* who is shown the names: below sudo who called it */
	bool brief;   /* without `holders`: to describe those takes longest */

	uint16_t port;		  /* 0 = none was looked at yet */
	struct service_list list; /* the claim on it; none: empty */
	char shown[IDENTITY_MAX + 1];
	struct judgement judgement;
};
void found_sockets_deinit(struct found_sockets *s);

struct found_socket {
	const struct socket_row *row; /* borrowed until the inventory changes */
	uint32_t own_netns;	      /* the daemon's */
	/* the service that it belongs to, and its status: names, NULL = none; valid until the next
	 * one is read */
	const char *service, *status;
	uint16_t
		asked_port; /* in the source of its program, whose run has the port; 0 = the same */
	char process[PROCESS_COMM_SIZE]; /* the oldest holder; "" = nobody */
	struct why_holder *holders;	 /* owned, oldest first */
	size_t n_holders;
};

/* OUTCOME_NO when the row is gone after the claim was judged.  *ret is to be deinitialised in any
 * case.  0, negative errno. */
int found_socket_read(struct found_sockets *s, const struct socket_row *row,
		      struct found_socket *ret);
void found_socket_deinit(struct found_socket *socket);

#endif
