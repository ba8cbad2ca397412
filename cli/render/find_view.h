/* SPDX-License-Identifier: MIT */
/* The tables of `pd find`, row by row. */
#ifndef CLI_RENDER_FIND_VIEW_H
#define CLI_RENDER_FIND_VIEW_H

#include <stdbool.h>

struct json_object;
struct find_view;

/* A table of services, with their URLs, and orphans; or of sockets. */
struct find_view *find_view_new(bool sockets, bool urls);

/* Another user's rows go behind the caller's own.  Adds an element of services[] or orphans[] of
 * /v1/services, or of sockets[] of /v1/sockets. */
void find_view_add_service(struct find_view *v, struct json_object *service);
void find_view_add_orphan(struct find_view *v, struct json_object *orphan);
void find_view_add_socket(struct find_view *v, struct json_object *socket);

/* To stdout, with the warnings behind it on stderr. */
void find_view_print(struct find_view *v);
void find_view_free(struct find_view *v);

#endif
