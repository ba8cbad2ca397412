/* SPDX-License-Identifier: MIT */
/* What came out of a health check, and of the one before, as JSON. */
#ifndef VIEW_HEALTH_H
#define VIEW_HEALTH_H

struct health_item;
struct json_object;

/* `shown_id`: the service as whoever asks calls it.  Owned by the caller. */
struct json_object *view_health_item(const struct health_item *item, const char *shown_id);

#endif
