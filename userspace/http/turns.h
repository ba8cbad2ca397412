/* SPDX-License-Identifier: MIT */
/*
 * Whose request is handled next.  A turn of the loop handles requests for TURNS_SLICE_US; what has
 * arrived beyond that waits for the next turn, in which each user who waits has one request
 * handled, and more of them while there is time left.  So a user with a hundred expensive questions
 * delays another one by a few of them, not by a hundred.
 *
 * As long as there is time left a request is handled where it arrives, and costs nothing more.
 */
#ifndef HTTP_TURNS_H
#define HTTP_TURNS_H

#include <stdint.h>

struct connection;
struct evhttp_request;
struct server;
struct turns;

/* Far below what a person notices, and several requests of the usual kind. */
#define TURNS_SLICE_US 2000

/* arrived_us: CLOCK_MONOTONIC. */
typedef void (*turns_handle)(struct evhttp_request *http, uint64_t arrived_us, void *user_data);

int turns_new(struct server *server, turns_handle handle, void *user_data, struct turns **ret);
/* Nothing may wait any more. */
void turns_free(struct turns *t);

/* Handles the request, now or in a later turn; it has to stay on its connection until then. */
void turns_take(struct turns *t, struct connection *c, struct evhttp_request *http);

/* Handles everything that waits, at the server's end. */
void turns_finish(struct turns *t);

#endif
