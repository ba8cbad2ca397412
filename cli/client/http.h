/* SPDX-License-Identifier: MIT */
/* The little of HTTP that a client of the daemon's socket needs.  Pure. */
#ifndef CLI_CLIENT_HTTP_H
#define CLI_CLIENT_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/build.h"

#define HTTP_IGNORED_SIZE 64
#define HTTP_NEXT_SIZE	  256 /* an id, or a port and a number */

#define HTTP_HEAD_MAX_BYTES (64 * 1024) /* the daemon's own heads are under 300 bytes */

struct http_head {
	int status;
	int64_t content_length; /* -1: the body ends with the connection */
	size_t size;		/* bytes up to the first one of the body */
	struct build daemon;	/* of whoever answers; all empty where it does not say */
	/* a name of the request that a daemon of another build did not know; "" = none */
	char ignored[HTTP_IGNORED_SIZE];
	/* where the next page of the list begins; "": nowhere, or the answer alone says it */
	char next[HTTP_NEXT_SIZE];
};

/*
 * Reads an answer's head from the first n bytes.  0; -EAGAIN while it is not complete; -EBADMSG
 * for what is no HTTP/1.x answer, has a length that is no number, or is chunked, which HTTP/1.0
 * forbids.
 */
int http_head_parse(const char *bytes, size_t n, struct http_head *ret);

#endif
