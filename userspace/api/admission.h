/* SPDX-License-Identifier: MIT */
/*
 * How many connections there may be.  libevent 2.1's HTTP server accepts by itself and has no hook
 * to refuse a client, and no hook at all for a connection that ends before its first request.  Its
 * one callback that runs for each new connection hands out the bufferevent, before the descriptor
 * is known: so each is noted there and judged right after the accepting, by an event of the highest
 * priority, which runs before the loop can read from it.
 *
 * Who is connected is kept by descriptor number.  An entry is alive while its descriptor is still
 * the same socket (inode); that is looked at only when a limit seems reached.
 */
#ifndef API_ADMISSION_H
#define API_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

struct admission;
struct event_base;
struct evhttp;

/* Of API_CONNECTIONS_MAX: kept free for root and the daemon's own user, so that two users who take
 * all they may cannot lock them out. */
#define ADMISSION_RESERVED 32

/* Counts the connections of an http server that is not bound yet; *counter grows with each. */
int admission_new(struct event_base *loop, struct evhttp *http, uint64_t *counter,
		  struct admission **ret);
/* After the server's own end: it calls back until then. */
void admission_free(struct admission *a);

/* False for a connection that was refused and whose request is read all the same. */
bool admission_admitted(const struct admission *a, int fd);

#endif
