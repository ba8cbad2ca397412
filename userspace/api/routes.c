/* SPDX-License-Identifier: MIT */
#include "api/routes.h"

#include "base/cleanup.h"

static const struct route routes[] = {
	{ ROUTE_GET, "/v1/status", status_get },
	{ ROUTE_GET, "/v1/services", services_get,
	  .names = { "pattern", "port", "status", "details", "n", "after" } },
	{ ROUTE_GET, "/v1/sockets", sockets_get, .names = { "port", "details", "n", "after" } },
	{ ROUTE_POST, "/v1/claims", claims_post,
	  .names = { "id", "port", "range", "ttl", "health", "cwd", "services" } },
	{ ROUTE_POST, "/v1/releases", releases_post, .names = { "match" } },
	{ ROUTE_POST, "/v1/cleanups", cleanups_post,
	  .names = { "olderThan", "stale", "dryRun", "project" } },
	{ ROUTE_GET, "/v1/why", why_get,
	  .names = { "port", "proto", "addr", "v6only", "reuseaddr", "reuseport", "dev", "uid",
		     "netns", "pid", "last" } },
	{ ROUTE_GET, "/v1/health", health_get, .names = { "match", "timeout" } },
	{ ROUTE_GET, "/v1/log", log_get,
	  .names = { "filter", "since", "from", "to", "n", "after" } },
	{ ROUTE_GET, "/v1/sessions", sessions_get, .names = { "all", "n", "after" } },
	{ ROUTE_POST, "/v1/sessions", sessions_post, .names = { "purpose", "agent", "cwd" } },
	{ ROUTE_POST, "/v1/sessions/end", sessions_end_post,
	  .names = { "session", "environment", "cwd", "note" } },
	{ ROUTE_GET, "/v1/notes", notes_get,
	  .names = { "session", "environment", "cwd", "n", "after" } },
	{ ROUTE_POST, "/v1/notes", notes_post,
	  .names = { "session", "environment", "cwd", "text" } },
	{ ROUTE_GET, "/v1/metrics", metrics_get, .names = { "over" } },
	{ ROUTE_GET, "/metrics", metrics_text_get },
	{ ROUTE_GET, "/v1/locks", locks_get, .names = { "name", "machine", "user" } },
	{ ROUTE_POST, "/v1/locks", locks_post,
	  .names = { "name", "holder", "onBehalf", "ttl", "wait", "owner", "cwd", "program",
		     "fence", "machine" } },
	{ ROUTE_POST, "/v1/unlocks", unlocks_post,
	  .names = { "name", "holder", "onBehalf", "force", "owner", "cwd", "fence", "machine",
		     "user" } },
	{ ROUTE_GET, "/v1/events", stream_events_get, .names = { "pattern" } },
	{ ROUTE_GET, "/v1/activity", stream_activity_get, .names = { "filter" } },
};

const struct route *const *routes_all(void)
{
	static const struct route *all[ARRAY_SIZE(routes) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		all[i] = &routes[i];
	return all;
}
