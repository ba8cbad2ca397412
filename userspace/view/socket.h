/* SPDX-License-Identifier: MIT */
/* Sockets and who holds them, as objects and as the rows of long lists (http/written.h). */
#ifndef VIEW_SOCKET_H
#define VIEW_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct found_socket;
struct json_object;
struct socket_row;
struct written;

/* A socket's own members, those that a line about it shows first; owned by the caller. */
struct json_object *view_socket(uint32_t own_netns, const struct socket_row *row);

/* The pids of one socket's holders and the name of the oldest, as members of the written object
 * that is open. */
void view_held(struct written *w, const struct socket_row *row, const char *process);

/* What a line of a table shows of a socket.  0, -ENOMEM. */
int view_found_briefly(struct written *w, const struct found_socket *socket);
/* All of it, with its holders; owned by the caller. */
struct json_object *view_found(const struct found_socket *socket, uid_t viewer);

#endif
