/* SPDX-License-Identifier: MIT */
/* A stream of JSON lines that is read beside something else that is waited for. */
#ifndef CLI_CLIENT_FOLLOW_H
#define CLI_CLIENT_FOLLOW_H

#include "cli/client/connection.h"

struct json_object;

struct follow {
	struct connection c; /* c.fd is polled by the caller; -1 = none is open */
};

/* Asks for a stream of a daemon that is there; starts none, and waits for no answer.  0, negative
 * errno. */
int follow_open(struct follow *f, const char *path);

/*
 * Calls each() with every line that has come, without waiting for more.  0; -EPIPE when the daemon
 * ended the stream; another negative errno for what is none.  It is closed then.
 */
int follow_read(struct follow *f, void (*each)(struct json_object *line, void *user_data),
		void *user_data);
void follow_close(struct follow *f);

#endif
