/* SPDX-License-Identifier: MIT */
/* Which handler answers what. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "http/request.h"

/* All of them, up to a NULL. */
const struct route *const *routes_all(void);

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
