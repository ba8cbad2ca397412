/* SPDX-License-Identifier: MIT */
/*
 * A question about who holds ports waits for a search among all processes, where that is needed to
 * know; others do not wait.
 */
#ifndef API_SEARCH_H
#define API_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct request;

/* A part of it (http/parts.h); port 0: ahead of the list of all. */
int search_port(struct request *r, uint16_t port, bool *ret_more);

#endif
