/* SPDX-License-Identifier: MIT */
/* Sockets and who holds them, as objects and as the rows of long lists (http/written.h). */
#ifndef VIEW_SOCKET_H
#define VIEW_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct holding;
struct inventory;
struct json_object;
struct socket_owner;
struct socket_row;
struct written;

/* A socket's own members, those that a line about it shows first; owned by the caller. */
struct json_object *view_socket(uint32_t own_netns, const struct socket_row *row);

/* [pid, …]; owned by the caller. */
struct json_object *view_pids(const struct holding *holdings, size_t n);
int64_t view_pid_of_holding(const void *holdings, size_t i); /* for written_ints() */

/* The pids of one socket's holders and the name of the oldest, as members of the written object
 * that is open. */
void view_held(struct written *w, const struct inventory *inv, const struct socket_row *row);

/* A socket of the list of all. */
struct view_listed {
	const struct inventory *inv;
	const struct socket_row *row;
	const struct socket_owner *owner;
	uint16_t asked_port; /* that is hard-coded in its program; 0 = the same */
	uid_t viewer;
};
/* What a line of a table shows.  0, -ENOMEM. */
int view_listed_briefly(struct written *w, const struct view_listed *s);
/* All of it, with its holders; *ret is the caller's.  0, negative errno. */
int view_listed_in_full(const struct view_listed *s, struct json_object **ret);

#endif
