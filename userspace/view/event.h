/* SPDX-License-Identifier: MIT */
/* What happened as JSON: entries of the activity and of the history, and the kernel's events. */
#ifndef VIEW_EVENT_H
#define VIEW_EVENT_H

#include <stdint.h>
#include <sys/types.h>

struct activity;
struct event;
struct history_entry;
struct json_object;
struct why_obstacle;

/* An entry (a struct activity) as a user sees it: his own services without his name; owned by the
 * caller. */
struct json_object *view_entry(const void *entry, uid_t viewer);
/* The same in the form of an event; NULL where the kernel's own event tells it. */
struct json_object *view_entry_as_event(const void *entry, uid_t viewer);

/* Who had a port, and how it ended, likewise. */
struct json_object *view_history(const struct history_entry *entry, uid_t viewer);

/* An event of the kernel; `service` owns the port, or is NULL; of a refusal: who was in the way. */
struct view_event {
	const struct event *event;
	const char *service;
	const struct why_obstacle *obstacle;
	const char *warning; /* of its port; NULL = of nothing */
	uint16_t asked_port; /* that is hard-coded in its program; 0 = the same */
	int64_t at_unix;
};
/* NULL for steps of the bookkeeping. */
struct json_object *view_event(const struct view_event *what, uid_t viewer);

#endif
