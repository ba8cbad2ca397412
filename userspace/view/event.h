/* SPDX-License-Identifier: MIT */
/* What happened as JSON: entries of the activity, and the kernel's events. */
#ifndef VIEW_EVENT_H
#define VIEW_EVENT_H

#include <stdint.h>
#include <sys/types.h>

struct activity;
struct event;
struct inventory;
struct json_object;
struct why_obstacle;

/* An entry (a struct activity) as a user sees it: his own services without his name; owned by the
 * caller. */
struct json_object *view_entry(const void *entry, uid_t viewer);
/* The same in the form of an event; NULL where the kernel's own event tells it. */
struct json_object *view_entry_as_event(const void *entry, uid_t viewer);

/* An event; `service` owns the port, or is NULL; of a refusal `obstacle` was in the way, or NULL.
 * NULL for steps of the bookkeeping. */
struct json_object *view_event(const struct inventory *inv, const struct event *event,
			       const char *service, uid_t viewer,
			       const struct why_obstacle *obstacle, int64_t at_unix);

#endif
