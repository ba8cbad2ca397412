/* SPDX-License-Identifier: MIT */
/*
 * Whether an answer was taken.  A client that has waited for something may have been killed, with
 * the answer on its way: then nobody knows that it has got it.
 *
 * unix(7) tells the two ends apart: of a peer that closed with bytes unread we get ECONNRESET, of
 * one that had read all of them the end of the file.  evhttp closes the connection behind the
 * answer to an HTTP/1.0 request, so a duplicate of its descriptor waits for that.
 */
#ifndef HTTP_DELIVERY_H
#define HTTP_DELIVERY_H

#include <stdbool.h>

struct event_base;
struct evhttp_connection;
struct deliveries;

/* Descriptors that wait at one time; a client closes its end within a millisecond. */
#define DELIVERIES_MAX 32
/* One that takes longer (stopped by ^Z, or malicious) counts as having taken its answer. */
#define DELIVERY_WAIT_S 5

int deliveries_new(struct event_base *loop, struct deliveries **ret);
/* What is not known yet counts as taken. */
void deliveries_free(struct deliveries *d);

/* Called exactly once for each watch. */
typedef void (*delivery_end)(bool taken, void *user_data);

/*
 * Writes out the answer that waits in the connection (NULL: its client has left) and calls `end`,
 * now or later, with whether it was taken.  `once_closed`: the connection ends with this answer.
 */
void delivery_watch(struct deliveries *d, struct evhttp_connection *connection, bool once_closed,
		    delivery_end end, void *user_data);

#endif
