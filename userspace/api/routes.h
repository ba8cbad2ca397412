/* SPDX-License-Identifier: MIT */
/* All routes; each is a row at the top of the file that has its name. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "http/request.h"

/* In the order in which metrics list them. */
#define ROUTES(X)            \
	X(index_get)         \
	X(status_get)        \
	X(services_get)      \
	X(sockets_get)       \
	X(claims_post)       \
	X(releases_post)     \
	X(cleanups_post)     \
	X(why_get)           \
	X(health_get)        \
	X(log_get)           \
	X(history_get)       \
	X(sessions_get)      \
	X(sessions_post)     \
	X(sessions_end_post) \
	X(notes_get)         \
	X(notes_post)        \
	X(prompts_post)      \
	X(metrics_get)       \
	X(metrics_text_get)  \
	X(locks_get)         \
	X(locks_post)        \
	X(unlocks_post)      \
	X(runs_get)          \
	X(runs_post)         \
	X(events_get)        \
	X(activity_get)

#define DECLARE_ROUTE(name) extern const struct route name;
ROUTES(DECLARE_ROUTE)
#undef DECLARE_ROUTE

#endif
