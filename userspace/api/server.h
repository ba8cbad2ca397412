/* SPDX-License-Identifier: MIT */
/* What the files of this room share and nobody else sees. */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "api/api.h"
#include "api/metrics.h"
#include "base/procfs.h"
#include "explain/explain.h"
#include "tracker/listener.h"
#include "tracker/tracker.h"

struct commit_queue;
struct connections;
struct evhttp;
struct event;
struct health;
struct request;
struct lock_deliveries;
struct locks;
struct process_watcher;
struct quota;
struct sessions;
struct streams;
struct turns;

/* Programs that keep asking, each with a descriptor; more of them are described from the start. */
#define SERVER_CALLERS		32
#define SERVER_SOCKET_PATH_SIZE 112 /* sun_path and a NUL */

struct api {
	struct api_config config;
	struct tracker_listener listener;
	struct evhttp *http;
	struct event *trim_memory; /* after a large answer */
	struct quota *quota;	   /* what each user has in use of the daemon's memory */
	struct connections *connections;
	struct turns *turns;
	struct commit_queue *commits;
	struct streams *streams;
	struct process_watcher *processes;
	struct sessions *sessions;
	struct health *health; /* checks of services */
	struct locks *locks;
	struct lock_deliveries *deliveries;
	struct procfs_kept callers[SERVER_CALLERS]; /* by pid */
	struct api_counters counters;
	struct metrics metrics;
	bool ending; /* api_free() has begun: answers are written at once */
	char socket_path[SERVER_SOCKET_PATH_SIZE]; /* "" = not bound to a name */
	/* of the last quick_check, which reads the whole file */
	int64_t checked_at, check_again_at;
	int database_fault; /* as registry_check() returned it */
	char database_detail[REGISTRY_WORDS_SIZE];
	struct explainer explainer;
};

/*
 * Ends a request as its handler's result says: the answer, at once or with the commit, or the
 * error.  The http request is consumed, the rest stays the caller's.
 */
void server_answer(struct request *r, int result);

/* Gives free memory back to the kernel, once what needed it is sent or gone: at most once a second.
 */
void server_trim_memory_soon(struct api *api);

#endif
