/* SPDX-License-Identifier: MIT */
/* A checked service as JSON. */
#ifndef API_HEALTH_VIEW_H
#define API_HEALTH_VIEW_H

#include "checks/item.h"
#include "http/json.h"

/* Owned by the caller. */
struct json_object *health_view(const struct health_item *item);

#endif
