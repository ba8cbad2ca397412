/* SPDX-License-Identifier: MIT */
/* A route: what is asked for by a method and a path, and who answers it. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "http/param.h"

#define ROUTE_PARAMS_MAX 12

/* POST takes one JSON object as its body, GET takes its parameters in the query. */
enum route_method { ROUTE_GET, ROUTE_POST };

struct route {
	enum route_method method;
	const char *path;
	/* 0 (the answer is sent), an outcome (an error with the text of request_fail()), or a
	 * negative errno. */
	int (*handle)(struct request *r);
	/* What it takes; the first names the request for `pd metrics --slow`. */
	struct param params[ROUTE_PARAMS_MAX];
	size_t params_size; /* of the struct that they are read into, which is r->params */
};

struct json_object;

/* {method, path, parameters: [{name, kind, required}]}, for whoever writes a client.  Into `ret`,
 * an empty object. */
void route_describe(const struct route *route, struct json_object *ret);

static inline const char *route_method_name(const struct route *route)
{
	return route->method == ROUTE_POST ? "POST" : "GET";
}

/*
 * The row of a route, at the top of the file whose handle() answers it: its parameters fill an
 * `of`, and the rest are their rows (param.h).
 */
#define ROUTE(name, verb, at, of, ...)                         \
	static int handle(struct request *r);                  \
	const struct route name = { .method = ROUTE_##verb,    \
				    .path = (at),              \
				    .handle = handle,          \
				    .params = { __VA_ARGS__ }, \
				    .params_size = sizeof(of) }
struct route_no_params {
};

#endif
