/* SPDX-License-Identifier: MIT */
/*
 * HTTP/JSON over a Unix socket: the transport.  It accepts and admits clients, parses what they ask
 * by a table of routes, has the owner's handlers answer it, and lets answers to writes wait for one
 * commit at the end of the loop's turn, and for the disk to have it.  What is asked about, it does
 * not know.
 *
 * Every request carries its caller's uid and pid (SO_PEERCRED).
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "http/route.h"

#define SERVER_HEADERS_MAX_BYTES (16 * 1024)
/* From the connection, or from the answer before, until a request is there; to read an answer. */
#define SERVER_REQUEST_TIMEOUT_S 30

struct api; /* of the handlers, who define it: handed on to them, and never looked into here */
struct commit_queue;
struct event_base;
struct metrics;
struct quota;
struct server;

/* What the server asks of its owner.  Each call gets the config's `api`. */
struct server_calls {
	/* Answers a request by its route's handler, and returns what that returned. */
	int (*handle)(struct request *r);
	/* Opens the batch that the next commit covers, unless it is open.  0, negative errno. */
	int (*begin)(struct api *api);
	/* Something was written that no commit covers yet. */
	bool (*is_open)(struct api *api);
	/* Commits what is open, if anything is.  0, or a negative errno: then all of it is undone,
	 * and answers that waited for it become that error. */
	int (*commit)(struct api *api);
	/* What was committed waits for a sync to begin.  NULL where a commit waits for the disk. */
	bool (*needs_sync)(struct api *api);
	/* Waits for the disk to have what was committed before.  Called in a thread of its own,
	 * beside everything else, once at a time.  0, negative errno. */
	int (*sync)(struct api *api);
	/* Gives back memory that is only kept to be faster; NULL = there is none. */
	void (*give_back)(struct api *api);
	/* The sentence for an error that a handler or a commit returned; valid until the next. */
	const char *(*words)(struct api *api, int error);
	/* The sentence is one for the client as it stands, for it tells of the owner's files. */
	bool (*words_are_whole)(struct api *api, int error);
	/* Time spent in the owner's database since the start. */
	uint64_t (*database_us)(struct api *api);
};

/* Everything is borrowed and outlives the server. */
struct server_config {
	struct event_base *loop;
	struct quota *quota;		   /* what each user has in use of the daemon's memory */
	const struct route *const *routes; /* up to a NULL */
	const struct server_calls *calls;
	struct api *api;
	unsigned request_timeout_ms; /* 0 = SERVER_REQUEST_TIMEOUT_S */
};

/* Nobody is served yet.  0, -ENOMEM. */
int server_new(const struct server_config *config, struct server **ret);
/* Serves on a listening Unix socket, which it consumes.  0, negative errno. */
int server_listen(struct server *s, int listen_fd);

/*
 * What was read is answered, committed and sent; then every connection ends, and whoever asked to
 * be told of that is.  The owner's parts may go after it.  NULL is allowed here and below.
 */
void server_stop(struct server *s);
void server_free(struct server *s);

/* The owner has worked: memory that this left behind goes back to the kernel before long. */
void server_trim_later(struct server *s);

/* Borrowed. */
struct commit_queue *server_commits(struct server *s);
const struct metrics *server_metrics(const struct server *s);
const char *server_socket_path(const struct server *s); /* "" = not bound to a name */

/*
 * Ends a request as its handler's result says: the answer, at once or with the commit, or the
 * error.  The http request is consumed, the rest stays the caller's.
 */
void server_answer(struct request *r, int result);

#endif
