/* SPDX-License-Identifier: MIT */
/*
 * One request as a handler sees it: who asks, what was asked (query or body, read by the rows of
 * its route), and the answer that it fills.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/identity.h"
#include "base/outcome.h"
#include "base/process.h"
#include "base/quota.h"
#include "http/delivery.h"
#include "http/json.h"
#include "http/route.h"
#include "http/written.h"

#define REQUEST_MESSAGE_SIZE 768
#define REQUEST_SUBJECT_SIZE (IDENTITY_MAX + 1)

struct api; /* of the handlers, who define it */
struct evhttp_request;
struct server;

/* What a request costs; it outlives the request where the answer waits. */
struct request_trace {
	const struct route *route;	    /* NULL: the path is none */
	uint64_t began_us;		    /* CLOCK_MONOTONIC */
	uint64_t database_us;		    /* spent in statements and in the commit */
	uint64_t queue_us;		    /* spent waiting for the commit to begin */
	bool waits;			    /* by the client's wish: counted, not timed */
	char subject[REQUEST_SUBJECT_SIZE]; /* service, lock or session; "" = none */
};

struct request {
	struct server *server;
	struct api *api;
	struct evhttp_request *http; /* evhttp's; every path ends in one evhttp_send_reply() */
	const struct route *route;
	pid_t pid; /* of the peer when it connected; 0 = not visible from here */
	uid_t uid;
	uid_t user; /* request_user(), where user_known */
	bool user_known;
	int64_t now; /* Unix seconds */
	struct request_trace trace;

	void *params; /* the struct of the route's handler, filled; NULL where it has none */
	void *work;   /* what the parts of a handler share (parts.h); freed with the request */
	char *given[ROUTE_PARAMS_MAX]; /* decoded, by index into route->params; NULL = not given */
	struct json_object *body;

	struct json_object *answer; /* {"ok":true,"version":1}: the handler adds to it */
	struct json_object *extra;  /* members that stand beside "error"; NULL = none */
	struct written written;	    /* the same as text, where lists are long (written.h) */
	char *text;		    /* sent instead of `answer` when set, as content_type */
	const char *content_type;
	char message[REQUEST_MESSAGE_SIZE];
	bool writes; /* the answer waits for the commit */
	bool taken;  /* the handler keeps `http`: a stream */
	/*
	 * Called once for an answer that waits for the commit: whether its client took it.  Of an
	 * error it is said, too, that it was taken: nothing was given.  NULL = nobody.
	 */
	delivery_end delivered;
	void *delivered_data;
};

/* Fills *ret for a connection's request.  0, or a negative errno when nobody can be named. */
int request_init(struct request *ret, struct server *server, struct evhttp_request *http);
void request_deinit(struct request *r);

/* Keeps the sentence for the client and returns the outcome. */
int request_fail(struct request *r, enum outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Who asks, as procfs_describe_briefly() says it now; pid 0 in *ret where it has ended, or lives in
 * a pid namespace that is not below ours.
 */
void request_caller(const struct request *r, struct process *ret);

/*
 * Whose names are meant: the caller's, and below sudo those of the user who called it, which is a
 * matter of names alone: rights are those of `uid`.
 */
uid_t request_user(struct request *r);

/* The name of the program that asks, as UTF-8; "" where it is not visible from here.  Returns ret.
 */
#define REQUEST_COMM_SIZE (4 * PROCESS_COMM_SIZE)
const char *request_caller_name(const struct request *r, char ret[REQUEST_COMM_SIZE]);

/*
 * Names what the request is about for `pd metrics --slow`, cut to size.  parse_request() has taken
 * the first of the route's parameters for it; a handler that knows better says so.
 */
void request_subject(struct request *r, const char *text);

/*
 * Refuses what is beyond a user's share, with the sentence that says which limit it is; `outcome`
 * is an enum quota_outcome.
 */
int request_fail_quota(struct request *r, enum quota_kind kind, int outcome);

/* Opens the batch of this turn; from now on the answer waits for its commit.  0, negative errno. */
int request_begin_write(struct request *r);

/* The members that stand beside "error"; borrowed. */
struct json_object *request_extras(struct request *r);
/* Adds one.  value is consumed. */
void request_extra(struct request *r, const char *key, struct json_object *value);

#endif
