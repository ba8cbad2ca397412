/* SPDX-License-Identifier: MIT */
#include "api/routes.h"

#include <string.h>

static const struct route routes[] = {
	{ EVHTTP_REQ_GET, "/v1/status", status_get },
	{ EVHTTP_REQ_GET, "/v1/services", services_get,
	  .names = { "pattern", "port", "status", "details", "n", "after" } },
	{ EVHTTP_REQ_GET, "/v1/sockets", sockets_get,
	  .names = { "port", "details", "n", "after" } },
	{ EVHTTP_REQ_POST, "/v1/claims", claims_post, REQUEST_BODY,
	  .names = { "id", "port", "range", "ttl", "health", "cwd", "services" } },
	{ EVHTTP_REQ_POST, "/v1/releases", releases_post, REQUEST_BODY, .names = { "match" } },
	{ EVHTTP_REQ_POST, "/v1/cleanups", cleanups_post, REQUEST_BODY,
	  .names = { "olderThan", "stale", "dryRun", "project" } },
	{ EVHTTP_REQ_GET, "/v1/why", why_get,
	  .names = { "port", "proto", "addr", "v6only", "reuseaddr", "reuseport", "dev", "uid",
		     "netns", "pid", "last" } },
	{ EVHTTP_REQ_GET, "/v1/health", health_get, .names = { "match", "timeout" } },
	{ EVHTTP_REQ_GET, "/v1/log", log_get,
	  .names = { "filter", "since", "from", "to", "n", "after" } },
	{ EVHTTP_REQ_GET, "/v1/sessions", sessions_get, .names = { "all", "n", "after" } },
	{ EVHTTP_REQ_POST, "/v1/sessions", sessions_post, REQUEST_BODY,
	  .names = { "purpose", "agent", "cwd" } },
	{ EVHTTP_REQ_POST, "/v1/sessions/end", sessions_end_post, REQUEST_BODY,
	  .names = { "session", "environment", "cwd", "note" } },
	{ EVHTTP_REQ_GET, "/v1/notes", notes_get,
	  .names = { "session", "environment", "cwd", "n", "after" } },
	{ EVHTTP_REQ_POST, "/v1/notes", notes_post, REQUEST_BODY,
	  .names = { "session", "environment", "cwd", "text" } },
	{ EVHTTP_REQ_GET, "/v1/metrics", metrics_get, .names = { "over" } },
	{ EVHTTP_REQ_GET, "/metrics", metrics_text_get },
	{ EVHTTP_REQ_GET, "/v1/locks", locks_get, .names = { "name", "machine", "user" } },
	{ EVHTTP_REQ_POST, "/v1/locks", locks_post, REQUEST_BODY,
	  .names = { "name", "holder", "onBehalf", "ttl", "wait", "owner", "cwd", "program",
		     "fence", "machine" } },
	{ EVHTTP_REQ_POST, "/v1/unlocks", unlocks_post, REQUEST_BODY,
	  .names = { "name", "holder", "onBehalf", "force", "owner", "cwd", "fence", "machine",
		     "user" } },
	{ EVHTTP_REQ_GET, "/v1/events", stream_events_get, .names = { "pattern" } },
	{ EVHTTP_REQ_GET, "/v1/activity", stream_activity_get, .names = { "filter" } },
};

_Static_assert(ARRAY_SIZE(routes) <= ROUTES_MAX, "there is a counter for every route");

size_t routes_index(const struct route *route)
{
	return route ? (size_t)(route - routes) : ROUTES_MAX;
}

const struct route *routes_at(size_t index)
{
	return index < ARRAY_SIZE(routes) ? &routes[index] : NULL;
}

int routes_find(const char *path, enum evhttp_cmd_type method, const struct route **ret)
{
	int fault = OUTCOME_NO_ROUTE;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (strcmp(routes[i].path, path) != 0)
			continue;
		*ret = &routes[i];
		if (routes[i].method == method)
			return 0;
		fault = OUTCOME_NO_METHOD;
	}
	return fault;
}

const char *routes_method_name(enum evhttp_cmd_type method)
{
	return method == EVHTTP_REQ_POST ? "POST" : "GET";
}
