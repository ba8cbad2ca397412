/* SPDX-License-Identifier: MIT */
/*
 * An answer that goes on: one JSON object a line, written as the client reads.  While what was
 * handed to libevent has not left, further lines are gathered here: libevent keeps a kilobyte for
 * each piece that it is given, however short.
 */
#ifndef API_LINES_H
#define API_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct api;
struct connection;
struct evbuffer;
struct evhttp_request;
struct json_object;

struct lines {
	struct evhttp_request *http; /* borrowed; its answer has begun */
	struct connection *connection;
	struct evbuffer *gathered;
	bool writing;			   /* libevent has something that has not left */
	void (*all_left)(void *user_data); /* what was put here has left; may be NULL */
	void *user_data;
};

/* 0, -ENOMEM. */
int lines_init(struct lines *l, struct api *api, struct evhttp_request *http);
/* With or before the connection's end. */
void lines_deinit(struct lines *l);

/*
 * Puts a line (borrowed).  0; -ENOBUFS when API_STREAM_BACKLOG_BYTES or the bytes of the user wait
 * unread already; -ENOMEM.  Then the line is lost, and the client should learn of it by being
 * disconnected.
 */
int lines_put(struct lines *l, struct json_object *line);

/* Bytes that are gathered here. */
size_t lines_gathered(const struct lines *l);
/* Hands what is gathered to libevent, written or not: before evhttp_send_reply_end(). */
void lines_flush(struct lines *l);

#endif
