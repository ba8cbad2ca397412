/* SPDX-License-Identifier: MIT */
/* How the health of services is printed. */
#ifndef CLI_RENDER_HEALTH_VIEW_H
#define CLI_RENDER_HEALTH_VIEW_H

#include <stdbool.h>

struct json_object;

/* The width of the longest id of an array of services, within reason. */
int health_view_width(struct json_object *services);

/* "myapp:api      ✅ 200 OK (45ms)" */
void health_view_line(struct json_object *service, int width);

/* The same behind "[2:47:23] ". */
void health_view_change(struct json_object *service, int width);

/* One service in full. */
void health_view_one(struct json_object *service);

/* True when a person would call it another health: not when only its time differs. */
bool health_view_differs(struct json_object *before, struct json_object *after);

#endif
