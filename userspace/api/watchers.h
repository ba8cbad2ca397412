/* SPDX-License-Identifier: MIT */
/*
 * Watchers of a stream: connections whose answer never ends, one JSON object a line.  The first
 * line, {"ok":true,"version":1,"stream":"events"}, tells the client that it is on; nothing that
 * happens after it is missed, until it reads so slowly that LINES_BACKLOG_BYTES wait for it: then
 * it is disconnected, and knows by that.
 */
#ifndef API_WATCHERS_H
#define API_WATCHERS_H

#include <stdint.h>

struct activity;
struct activity_filter;
struct api;
struct event;
struct request;
struct watchers;

/* What a stream shows: lines that are owned by the caller, NULL where there is none. */
struct stream {
	const char *name;
	struct json_object *(*entry)(const struct activity *entry);
	/* `service` owns the port, or is NULL. */
	struct json_object *(*event)(const struct api *api, const struct event *event,
				     const char *service, int64_t at_unix);
};

/* Of events_get.c and activity_get.c. */
extern const struct stream events_stream, activity_stream;

/* 0, -ENOMEM. */
int watchers_new(struct api *api, const struct stream *stream, struct watchers **ret);
/* After the http server's end, which ends every watcher. */
void watchers_free(struct watchers *ws);

/*
 * Keeps the request: from now on whoever asked is shown what the filter accepts.  The filter is in
 * r->params, which becomes the watcher's.  0, -ENOMEM.
 */
int watchers_add(struct watchers *ws, struct request *r, const struct activity_filter *filter);

/*
 * An entry of the audit trail, to whom it may concern, once the open batch is committed: a watcher
 * never sees what was not kept.  0, -ENOMEM.
 */
int watchers_show_entry(struct watchers *ws, const struct activity *entry);

/* An event of the kernel. */
void watchers_show_event(struct watchers *ws, const struct event *event, const char *service,
			 int64_t at_unix);

#endif
