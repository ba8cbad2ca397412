/* SPDX-License-Identifier: MIT */
/* The tables of `pd find`. */
#ifndef CLI_FIND_VIEW_H
#define CLI_FIND_VIEW_H

struct json_object;

/* services[] and orphans[] of /v1/services; either may be NULL. */
void find_view_services(struct json_object *services, struct json_object *orphans);

/* sockets[] of /v1/sockets. */
void find_view_sockets(struct json_object *sockets);

#endif
