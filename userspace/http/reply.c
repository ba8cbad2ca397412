/* SPDX-License-Identifier: MIT */
#include "http/reply.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/quota.h"
#include "http/answer.h"
#include "http/connections.h"
#include "http/internal.h"
#include "http/reserve.h"
#include "http/trim.h"
#include "http/written.h"

/* Smaller ones are sent whatever waits: a refusal has to get through, and there are no more of them
 * than connections. */
#define REPLY_UNCOUNTED_BYTES 4096

/*
 * At the server's end no loop runs any more that would write: what fits into the client's socket is
 * written here.  The bufferevent keeps the front of its output for its own writing.
 */
static void push(struct evhttp_connection *connection)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);
	struct evbuffer *output = bufferevent_get_output(bev);

	if (evbuffer_unfreeze(output, 1) || evbuffer_write(output, bufferevent_getfd(bev)) < 0)
		log_warning("an answer was not sent: the server ends");
	evbuffer_freeze(output, 1);
}

/* evhttp would send a body to HEAD as well. */
static bool wants_body(struct evhttp_request *http)
{
	return evhttp_request_get_command(http) != EVHTTP_REQ_HEAD;
}

/*
 * evhttp leaves it out towards HTTP/1.0: such a client would have to wait for the connection's end,
 * and be woken a second time, to know that it has read everything.
 */
static void add_length(struct evhttp_request *http, struct evbuffer *body)
{
	char digits[24];

	if (!body || !wants_body(http))
		return;
	snprintf(digits, sizeof(digits), "%zu", evbuffer_get_length(body));
	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Length", digits);
}

struct reply {
	enum outcome outcome;
	const char *content_type;
	struct evbuffer *body; /* owned; NULL when there was no memory for it */
};

/* In the place of an answer that its user has no room for: others of theirs wait unread. */
static void refuse(struct reply *reply, const struct quota_limit *limit, int result, bool was_done)
{
	char reason[QUOTA_REFUSAL_SIZE] = "the daemon is out of memory", message[384];
	_cleanup_json_ struct json_object *o = NULL;
	const char *json;

	if (result > 0)
		quota_refusal(limit, result, reason, sizeof(reason));
	snprintf(message, sizeof(message), "%s: %s",
		 was_done ? "done, but the answer is not sent" : "the answer is not sent", reason);
	o = answer_error_new(OUTCOME_TOO_LARGE, message, NULL);
	json = json_object_to_json_string_ext(o, ANSWER_JSON_FLAGS);
	evbuffer_drain(reply->body, evbuffer_get_length(reply->body));
	evbuffer_add_printf(reply->body, "%s\n", json);
	reply->outcome = OUTCOME_TOO_LARGE;
	reply->content_type = "application/json";
}

/* A part of it could not be written: nothing of it is sent as if it were whole. */
static void lose(struct reply *reply)
{
	log_error("an answer was lost: %s", strerror(ENOMEM));
	reply->outcome = OUTCOME_FAILED;
	if (reply->body)
		evbuffer_drain(reply->body, evbuffer_get_length(reply->body));
}

/* Charges the body to its reader, or puts a refusal in its place. */
static void charge(const struct quota *quota, struct connection *c, struct reply *reply,
		   const struct request_trace *trace)
{
	size_t size = reply->body ? evbuffer_get_length(reply->body) : 0;
	bool writes = trace->route && trace->route->method != ROUTE_GET;
	int r = size > REPLY_UNCOUNTED_BYTES ? connection_hold(c, size) : 0;

	if (r)
		refuse(reply, quota_limit_of(quota, QUOTA_UNSENT_BYTES), r,
		       writes && reply->outcome == OUTCOME_OK);
}

/* Consumes the body. */
static void transmit(struct server *server, struct evhttp_request *http, struct reply reply,
		     const struct request_trace *trace)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	struct connection *c = connection ? connection_of(server, connection) : NULL;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(http);

	if (reply.body && evbuffer_get_length(reply.body) >= REPLY_LARGE_BYTES)
		trim_soon(server->trim);
	trim_later(server->trim);
	if (c)
		charge(server->config.quota, c, &reply, trace);
	evhttp_add_header(headers, "Content-Type", reply.content_type);
	/* behind the answer evhttp makes the next request */
	if (!reserve_is_there())
		evhttp_add_header(headers, "Connection", "close");
	add_length(http, reply.body);
	if (c)
		connection_sending(c);
	/* with a NULL phrase evhttp takes its own for the status */
	evhttp_send_reply(http, outcome_row(reply.outcome)->http, NULL, reply.body);
	if (c) {
		connection_sent(c);
		connection_answered(c);
	}
	if (reply.body)
		evbuffer_free(reply.body);
	if (server->ending && connection)
		push(connection);
	metrics_answered(&server->metrics, trace, reply.outcome);
}

void reply_send(struct server *server, struct evhttp_request *http, enum outcome outcome,
		struct json_object *body, const struct request_trace *trace)
{
	struct reply reply = { outcome, "application/json", evbuffer_new() };
	size_t length = 0;
	const char *json = json_object_to_json_string_length(body, ANSWER_JSON_FLAGS, &length);

	if (!reply.body || !json ||
	    (wants_body(http) &&
	     (evbuffer_add(reply.body, json, length) || evbuffer_add(reply.body, "\n", 1))))
		lose(&reply);
	transmit(server, http, reply, trace);
}

void reply_send_written(struct server *server, struct evhttp_request *http, struct written *written,
			const struct request_trace *trace)
{
	struct reply reply = { OUTCOME_OK, "application/json", TAKE_PTR(written->text) };

	if (evbuffer_add(reply.body, "}\n", 2))
		lose(&reply);
	transmit(server, http, reply, trace);
}

void reply_send_text(struct server *server, struct evhttp_request *http, const char *content_type,
		     const char *body, const struct request_trace *trace)
{
	struct reply reply = { OUTCOME_OK, content_type, evbuffer_new() };

	if (!reply.body || (wants_body(http) && evbuffer_add(reply.body, body, strlen(body))))
		lose(&reply);
	transmit(server, http, reply, trace);
}
