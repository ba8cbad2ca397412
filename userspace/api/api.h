/* SPDX-License-Identifier: MIT */
/*
 * HTTP/JSON over a Unix socket: the only way in.  Every request carries its caller's uid and pid
 * (SO_PEERCRED): anybody who can connect may look, only the owner of a claim or root may change it,
 * and the command line and directory of a process are shown to its own user and to root only.
 *
 * Bodies are one JSON object with "ok" and "version"; an error is
 * {"ok":false,"version":1,"error":{"code","message"}} with the HTTP status of base/outcome.h.
 *
 * routes.h lists the routes; each file has its row at the top: method, path, parameters.
 *
 * Group commit: a handler that writes leaves its reply in a queue; at the end of the loop's turn
 * one commit covers all of them, then they are sent.  A failed commit turns each into its error.
 */
#ifndef API_API_H
#define API_API_H

#include <stdint.h>

#include "base/event.h"
#include "base/sandbox_report.h"
#include "inventory/inventory.h"
#include "registry/registry.h"
#include "sentinel/sentinel.h"

struct api;
struct event_base;
struct json_object;
struct refusal;
struct tracker;
struct why_obstacle;

/* What the API looks at, and who judges and writes for it.  Everything is borrowed and outlives the
 * api. */
struct api_config {
	struct event_base *loop;
	struct registry *registry;
	struct inventory *inventory;
	struct sentinel *sentinel;
	struct tracker *tracker; /* its listener is the api, until api_free() */
	const char *database_path;
	struct sandbox_report sandbox;
	unsigned descriptors;	     /* that may be open for clients; 0 = as many as they like */
	int64_t started_at;	     /* Unix seconds */
	int64_t booted_at;	     /* the same of the machine, as the clock stood at the start */
	unsigned request_timeout_ms; /* 0 = SERVER_REQUEST_TIMEOUT_S */
};

/* Appends what can be asked, as GET /v1/ answers it, to a JSON array. */
void api_describe_routes(struct json_object *ret_list);

/* Serves on a listening Unix socket, which it consumes.  0, negative errno. */
int api_new(const struct api_config *config, int listen_fd, struct api **ret);
void api_free(struct api *api);

/*
 * Explains a refusal from its evidence: the why object as JSON text, as its caller's user may see
 * it.  Takes some milliseconds.  Owned by the caller: free().  *ret_obstacle, where *ret_found: who
 * was in the way.  0, negative errno.
 */
int api_explain_refusal(struct api *api, const struct refusal *refusal, char **ret,
			struct why_obstacle *ret_obstacle, bool *ret_found);

/*
 * Begins to watch the processes of active sessions and of runs, once the registry's past is written
 * down: what ended while no daemon ran is stalled, or over, now.
 */
void api_watch_processes(struct api *api);

/* The machine has slept, or the clock was set: what is over by now ends. */
void api_clock_changed(struct api *api);

#endif
