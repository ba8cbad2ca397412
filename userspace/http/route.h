/* SPDX-License-Identifier: MIT */
/* A route: what is asked for by a method and a path, and who answers it. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#define ROUTE_NAMES_MAX 12

struct request;

/* POST takes one JSON object as its body, GET takes its parameters in the query. */
enum route_method { ROUTE_GET, ROUTE_POST };

struct route {
	enum route_method method;
	const char *path;
	/* 0 (the answer is sent), an outcome (an error with the text of request_fail()), or a
	 * negative errno. */
	int (*handle)(struct request *r);
	const char *names[ROUTE_NAMES_MAX]; /* parameters or members that it takes */
};

static inline const char *route_method_name(const struct route *route)
{
	return route->method == ROUTE_POST ? "POST" : "GET";
}

#endif
