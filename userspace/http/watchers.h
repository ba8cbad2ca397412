/* SPDX-License-Identifier: MIT */
/*
 * Watchers of a stream: connections whose answer never ends, one JSON object a line.  The first
 * line, {"ok":true,"version":1,"stream":"events"}, tells the client that it is on; nothing that
 * happens after it is missed, until it reads so slowly that LINES_BACKLOG_BYTES wait for it: then
 * it is disconnected, and knows by that.
 */
#ifndef HTTP_WATCHERS_H
#define HTTP_WATCHERS_H

#include <stdbool.h>
#include <sys/types.h>

struct json_object;
struct request;
struct watchers;

/* `name` is the stream's, and borrowed.  0, -ENOMEM. */
int watchers_new(const char *name, struct watchers **ret);
/* After the server's end, which ends every watcher.  NULL is allowed. */
void watchers_free(struct watchers *ws);
bool watchers_are_none(const struct watchers *ws);

/*
 * Keeps the request: from now on whoever asked is shown what the filter accepts.  The filter is in
 * r->params, which becomes the watcher's.  0, -ENOMEM.
 */
int watchers_add(struct watchers *ws, struct request *r, const void *filter);

/* Shows something to those whose filter accepts it. */
struct watchers_show {
	bool (*accepts)(const void *filter, const void *what);
	/* The line as that user sees it, owned by the caller; NULL: there is none.  Called when
	 * somebody accepts. */
	struct json_object *(*view)(const void *what, uid_t viewer);
};
void watchers_show(struct watchers *ws, const struct watchers_show *how, const void *what);

#endif
