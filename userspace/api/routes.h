/* SPDX-License-Identifier: MIT */
/* Which handler answers what. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/request.h"

/*
 * The route of a path and method.  0; OUTCOME_NO_ROUTE; OUTCOME_NO_METHOD, and then *ret is a route
 * of that path, whose method would have been right.
 */
int routes_find(const char *path, enum evhttp_cmd_type method, const struct route **ret);

/* A number below ROUTES_MAX for each route, ROUTES_MAX for NULL; routes_at() gives it back. */
#define ROUTES_MAX 40
size_t routes_index(const struct route *route);
/* NULL beyond the last. */
const struct route *routes_at(size_t index);

const char *routes_method_name(enum evhttp_cmd_type method);

/* The handlers, one room's file each. */
int status_get(struct request *r);
int services_get(struct request *r);
int sockets_get(struct request *r);
int claims_post(struct request *r);
int releases_post(struct request *r);
int cleanups_post(struct request *r);
int why_get(struct request *r);
int health_get(struct request *r);
int log_get(struct request *r);
int sessions_get(struct request *r);
int sessions_post(struct request *r);
int sessions_end_post(struct request *r);
int notes_get(struct request *r);
int notes_post(struct request *r);
int metrics_get(struct request *r);
int metrics_text_get(struct request *r);
int locks_get(struct request *r);
int locks_post(struct request *r);
int unlocks_post(struct request *r);
int stream_events_get(struct request *r);
int stream_activity_get(struct request *r);

#endif
