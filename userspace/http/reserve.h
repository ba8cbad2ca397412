/* SPDX-License-Identifier: MIT */
/*
 * Memory that is kept for libevent.  Its HTTP server (2.1) handles every large allocation that
 * fails, and crashes on a small one: what it could not make of a request or a connection it frees
 * all the same.  Where the heap has nothing left, the reserve goes back to it for those; until it
 * is there again nobody is admitted, and no connection gets a further request.
 */
#ifndef HTTP_RESERVE_H
#define HTTP_RESERVE_H

#include <stdbool.h>

/* Before libevent is used. */
void reserve_begin(void);
/* Makes it anew where it has been needed. */
bool reserve_is_there(void);

#endif
