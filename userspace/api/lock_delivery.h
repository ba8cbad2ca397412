/* SPDX-License-Identifier: MIT */
/*
 * Whether the answer to a grant was taken.  A client may be killed while it waits for its lock,
 * with the answer on its way: then nobody knows that the lock is held.
 *
 * unix(7) tells the two ends apart: of a peer that closed with bytes unread we get ECONNRESET, of
 * one that had read all of them the end of the file.  evhttp closes the connection behind the
 * answer to an HTTP/1.0 request, so a duplicate of its descriptor waits for that.
 */
#ifndef API_LOCK_DELIVERY_H
#define API_LOCK_DELIVERY_H

#include <stdbool.h>

struct event_base;
struct evhttp_connection;
struct lock_deliveries;

/* Descriptors that wait at one time; a client closes its end within a millisecond. */
#define LOCK_DELIVERIES_MAX 32
/* One that takes longer (stopped by ^Z, or malicious) counts as having taken its answer. */
#define LOCK_DELIVERY_WAIT_S 5

int lock_deliveries_new(struct event_base *loop, struct lock_deliveries **ret);
/* What is not known yet counts as taken. */
void lock_deliveries_free(struct lock_deliveries *d);

/* Called exactly once for each watch. */
typedef void (*lock_delivery_end)(bool taken, void *user_data);

/*
 * Writes out the answer that waits in the connection (NULL: its client has left) and calls `end`,
 * now or later, with whether it was taken.  `once_closed`: the connection ends with this answer.
 */
void lock_delivery_watch(struct lock_deliveries *d, struct evhttp_connection *connection,
			 bool once_closed, lock_delivery_end end, void *user_data);

#endif
