/* SPDX-License-Identifier: MIT */
/* The sending of an answer. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/outcome.h"

struct evhttp_request;
struct json_object;
struct request_trace;
struct server;
struct written;

/* Behind an answer of this size memory is given back: glibc alone keeps what lies in between. */
#define REPLY_LARGE_BYTES (256 * 1024)

/*
 * Sends a body (borrowed) with the status of the outcome and counts the request.  The http request
 * is consumed; one whose client has left is only freed.
 */
void reply_send(struct server *server, struct evhttp_request *http, enum outcome outcome,
		struct json_object *body, const struct request_trace *trace);

/* The same for an answer that was written down, whose text is consumed. */
void reply_send_written(struct server *server, struct evhttp_request *http, struct written *written,
			const struct request_trace *trace);

/* The same for a body of another kind (borrowed, NUL-terminated). */
void reply_send_text(struct server *server, struct evhttp_request *http, const char *content_type,
		     const char *body, const struct request_trace *trace);

#endif
