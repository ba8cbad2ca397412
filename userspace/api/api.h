/* SPDX-License-Identifier: MIT */
/*
 * HTTP/JSON over a Unix socket: the only way in.  Every request carries its caller's uid and pid
 * (SO_PEERCRED): anybody who can connect may look, only the owner of a claim or root may change it,
 * and the command line and directory of a process are shown to its own user and to root only.
 *
 * Bodies are one JSON object with "ok" and "version"; an error is
 * {"ok":false,"version":1,"error":{"code","message"}} with the HTTP status of base/outcome.h.
 *
 *   GET    /v1/status                                      pd status
 *   GET    /v1/services?pattern=&port=&status=             pd find, by pages
 *   GET    /v1/sockets?port=                               pd find --all, by pages
 *   POST   /v1/claims   {id, port, range, ttl, health, cwd}  pd claim
 *   POST   /v1/claims   {services: [{id, health}], range, ttl, cwd}
 *                                                          all of a project, or none
 *   POST   /v1/releases {match}                            pd release (an id, a pattern, ":PORT")
 *   POST   /v1/cleanups {olderThan, stale, dryRun}         pd cleanup
 *   GET    /v1/why?port=&proto=&addr=&v6only=&reuseaddr=&reuseport=&dev=&uid=&netns=
 *                                                          pd why PORT
 *   GET    /v1/why?pid=&last=                              pd why, of recorded refusals
 *   GET    /v1/health?match=&timeout=                      pd health: a line of JSON each
 *   GET    /v1/log?filter=&since=&from=&to=&n=             pd log, by pages
 *                                                          filter: words with commas between
 *   GET    /v1/sessions?all=                               pd sessions, by pages
 *   POST   /v1/sessions {purpose, agent, cwd}              pd session start
 *   POST   /v1/sessions/end {session, environment, cwd, note}  pd session end
 *   GET    /v1/notes?session=&environment=&cwd=&n=         pd notes, by pages
 *   POST   /v1/notes {session, environment, cwd, text}     pd note
 *   GET    /v1/metrics?over=                               pd metrics (over: microseconds)
 *   GET    /metrics                                        the same for Prometheus, as text
 *   GET    /v1/locks?name=&machine=&user=                  pd locks, pd lock --status
 *   POST   /v1/locks   {name, holder, onBehalf, ttl, wait, owner, cwd, program, fence, machine}
 *                      pd lock, pd with-lock: with "wait" the answer comes when the lock does
 *   POST   /v1/unlocks {name, holder, onBehalf, force, owner, cwd, fence, machine, user}
 *                      pd unlock; a name is the caller's own, else that of "user", or with
 *                      "machine" the one of everybody
 *   GET    /v1/events?pattern=                             pd watch: a line of JSON for each event
 *   GET    /v1/activity?filter=                            pd log -f: a line for each new entry
 *
 * A list that comes by pages takes n= and after=, see page.h.
 *
 * Group commit: a handler that writes leaves its reply in a queue; at the end of the loop's turn
 * one commit covers all of them, then they are sent.  A failed commit turns each into its error.
 */
#ifndef API_API_H
#define API_API_H

#include <stdint.h>

#include "base/event.h"
#include "inventory/inventory.h"
#include "registry/registry.h"
#include "sentinel/sentinel.h"

#define API_LOG_DEFAULT_ROWS 50
#define API_LOG_MAX_ROWS     10000

struct api;
struct event_base;
struct refusal;
struct tracker;

/* What the API looks at, and who judges and writes for it.  Everything is borrowed and outlives the
 * api. */
struct api_config {
	struct event_base *loop;
	struct registry *registry;
	struct inventory *inventory;
	struct sentinel *sentinel;
	struct tracker *tracker; /* its listener is the api, until api_free() */
	const char *database_path;
	const char *version;	     /* of the program */
	int64_t started_at;	     /* Unix seconds */
	unsigned request_timeout_ms; /* 0 = SERVER_REQUEST_TIMEOUT_S */
};

/* Serves on a listening Unix socket, which it consumes.  0, negative errno. */
int api_new(const struct api_config *config, int listen_fd, struct api **ret);
void api_free(struct api *api);

/*
 * Explains a refusal from its evidence: the why object as JSON text, as its caller's user may see
 * it.  Takes some milliseconds.  Owned by the caller: free().  0, negative errno.
 */
int api_explain_refusal(struct api *api, const struct refusal *refusal, char **ret);

/*
 * Begins to watch the processes of active sessions, once the registry's past is written down: what
 * ended while no daemon ran is stalled now.
 */
void api_watch_sessions(struct api *api);

/* The machine has slept, or the clock was set: what is over by now ends. */
void api_clock_changed(struct api *api);

#endif
