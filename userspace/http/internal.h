/* SPDX-License-Identifier: MIT */
/* What the files of this room share and nobody else sees. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "base/procfs.h"
#include "http/metrics.h"
#include "http/server.h"

struct connections;
struct evhttp;
struct trim;
struct turns;

/* Programs that keep asking, each with a descriptor; more of them are described from the start. */
#define SERVER_CALLERS		32
#define SERVER_SOCKET_PATH_SIZE 112 /* sun_path and a NUL */

struct server {
	struct server_config config;
	struct evhttp *http;
	struct trim *trim;
	struct connections *connections;
	struct turns *turns;
	struct commit_queue *commits;
	struct deliveries *deliveries;
	struct procfs_kept callers[SERVER_CALLERS]; /* by pid */
	unsigned n_callers;			    /* of them: an eighth of the connections */
	struct metrics metrics;
	bool ending; /* server_stop() has begun: answers are written at once */
	char socket_path[SERVER_SOCKET_PATH_SIZE];
};

#endif
