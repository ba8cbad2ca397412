/* SPDX-License-Identifier: MIT */
/* The two shapes that the body of an answer has. */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include "base/outcome.h"
#include "http/json.h"

#define ANSWER_VERSION	  1
#define ANSWER_JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* {"ok":true,"version":1}; owned by the caller. */
struct json_object *answer_ok_new(void);

/*
 * {"ok":false,"version":1,"error":{"code","message"}} and the members of `extra` (borrowed, may be
 * NULL); owned by the caller.
 */
struct json_object *answer_error_new(enum outcome outcome, const char *message,
				     struct json_object *extra);

/* The outcome that a handler's return value stands for: itself, or that of a negative errno. */
enum outcome answer_outcome(int result);

#endif
