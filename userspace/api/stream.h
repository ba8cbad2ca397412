/* SPDX-License-Identifier: MIT */
/*
 * Watchers: connections whose answer never ends, one JSON object a line.  The first line,
 * {"ok":true,"version":1,"stream":"events"}, tells the client that it is on; nothing that happens
 * after it is missed, until it reads so slowly that LINES_BACKLOG_BYTES wait for it: then it
 * is disconnected, and knows by that.
 */
#ifndef API_STREAM_H
#define API_STREAM_H

#include <stdint.h>

struct activity;
struct api;
struct event;
struct streams;

int streams_new(struct api *api, struct streams **ret);
/* After the http server's end, which ends every watcher. */
void streams_free(struct streams *s);

/*
 * An entry of the audit trail, to whom it may concern, once the open batch is committed: a watcher
 * never sees what was not kept.  0, -ENOMEM.
 */
int stream_activity_when_durable(struct streams *s, const struct activity *entry);

/* An event of the kernel, to every watcher whose pattern fits; `service` owns the port, or NULL. */
void stream_event(struct streams *s, const struct event *event, const char *service,
		  int64_t at_unix);

#endif
