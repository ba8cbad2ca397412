/* SPDX-License-Identifier: MIT */
/* What the handlers work with and nobody else sees. */
#ifndef API_STATE_H
#define API_STATE_H

#include "api/api.h"
#include "checks/round.h"
#include "explain/explain.h"
#include "http/server.h"
#include "tracker/listener.h"
#include "tracker/tracker.h"

struct locks;
struct process_watcher;
struct runs;
struct sessions;
struct watchers;

struct api {
	struct api_config config;
	struct tracker_listener listener;
	struct quota *quota; /* what each user has in use of the daemon's memory */
	struct server *server;
	struct watchers *events_watchers, *activity_watchers;
	struct process_watcher *processes;
	struct sessions *sessions;
	struct checks checks;
	struct locks *locks;
	struct protection *protection;
	struct runs *runs;
	struct explainer explainer;
	struct lineage *lineage;	  /* the explainer's */
	uint64_t events[_EVENT_KIND_MAX]; /* of the kernel, since the start */
};

#endif
