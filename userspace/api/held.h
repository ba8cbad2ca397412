/* SPDX-License-Identifier: MIT */
#ifndef API_HELD_H
#define API_HELD_H

struct request;
struct socket_row;

/* The pids of one socket's holders and the name of the oldest, as members of the written object
 * that is open. */
void held_write(struct request *r, const struct socket_row *row);

#endif
