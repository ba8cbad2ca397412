/* SPDX-License-Identifier: MIT */
/* The wait for a daemon that does not answer. */
#ifndef CLI_CLIENT_AWAIT_H
#define CLI_CLIENT_AWAIT_H

#include <stdint.h>

struct connection;

/*
 * connection_read_head() within timeout_s.  Of an answer that is due at once (CONNECTION_TIMEOUT_S)
 * stderr says after a moment that there is none yet; one that may come late, or without which the
 * caller can go on, is waited for in silence.
 */
int await_head(struct connection *c, int64_t timeout_s);

#endif
