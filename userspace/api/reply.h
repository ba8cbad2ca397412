/* SPDX-License-Identifier: MIT */
/* Answers: the two shapes of a body, and the sending of one. */
#ifndef API_REPLY_H
#define API_REPLY_H

#include <stdint.h>

#include "api/json.h"
#include "base/outcome.h"

struct api;
struct evhttp_request;
struct request_trace;
struct written;

#define REPLY_JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
/* Behind an answer of this size memory is given back: glibc alone keeps what lies in between. */
#define REPLY_LARGE_BYTES (256 * 1024)

/* {"ok":true,"version":1}; owned by the caller. */
struct json_object *reply_ok_new(void);

/*
 * {"ok":false,"version":1,"error":{"code","message"}} and the members of `extra` (borrowed, may be
 * NULL); owned by the caller.
 */
struct json_object *reply_error_new(enum outcome outcome, const char *message,
				    struct json_object *extra);

/* The outcome that a handler's return value stands for: itself, or that of a negative errno. */
enum outcome reply_outcome(int result);

/*
 * Sends a body (borrowed) with the status of the outcome and counts the request.  The http request
 * is consumed; one whose client has left is only freed.
 */
void reply_send(struct api *api, struct evhttp_request *http, enum outcome outcome,
		struct json_object *body, const struct request_trace *trace);

/* The same for an answer that was written down, whose text is consumed. */
void reply_send_written(struct api *api, struct evhttp_request *http, struct written *written,
			const struct request_trace *trace);

/* The same for a body of another kind (borrowed, NUL-terminated). */
void reply_send_text(struct api *api, struct evhttp_request *http, const char *content_type,
		     const char *body, const struct request_trace *trace);

#endif
