/* SPDX-License-Identifier: MIT */
/* What a request says, read by the rows of its route. */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/route.h"

#define PARSE_BODY_MAX_BYTES (64 * 1024) /* more is refused with 413 */
/* Of one decoded value of a query; the longest legal one is a pattern. */
#define PARSE_PARAM_MAX_BYTES 1024

/* Of an answer to a pd of another build: a name of its request that was not read. */
#define PARSE_IGNORED_HEADER "Port-Daddy-Ignored"

struct json_object;

/* Reads query and body into r->params.  0, OUTCOME_BAD_REQUEST, OUTCOME_TOO_LARGE, errno. */
int parse_request(struct request *r, const struct route *route);

/* The text of a body alone, as r->route says; what parse_request() does with it.  Pure. */
int parse_body(struct request *r, const char *text, size_t size);

/*
 * An object within the body, called `in` there, by n rows of its own into *ret, which holds zeroes.
 * The same results.
 */
int parse_object(struct request *r, struct json_object *object, const char *in,
		 const struct param *params, size_t n, void *ret);

/* The parameter, or the member of the body, was given. */
bool parse_was_given(const struct request *r, const char *name);

#endif
