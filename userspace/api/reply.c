/* SPDX-License-Identifier: MIT */
#include "api/reply.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "api/metrics.h"
#include "api/server.h"
#include "api/written.h"
#include "base/cleanup.h"
#include "base/log.h"

struct json_object *reply_ok_new(void)
{
	struct json_object *o = json_object_new_object();

	json_add_bool(o, "ok", true);
	json_add_int(o, "version", API_VERSION);
	return o;
}

struct json_object *reply_error_new(enum outcome outcome, const char *message,
				    struct json_object *extra)
{
	struct json_object *o = json_object_new_object();
	struct json_object *error;

	json_add_bool(o, "ok", false);
	json_add_int(o, "version", API_VERSION);
	error = json_add_object(o, "error");
	json_add_text(error, "code", outcome_row(outcome)->code);
	json_add_text(error, "message", message);
	if (extra)
		json_merge(o, extra);
	return o;
}

enum outcome reply_outcome(int result)
{
	enum outcome outcome;

	if (result >= 0)
		return (enum outcome)result;
	/* An error of the daemon's own is never the client's fault, whatever its number says. */
	outcome = outcome_of_errno(result);
	return outcome == OUTCOME_NO_SPACE ? outcome : OUTCOME_FAILED;
}

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

static void transmit(struct api *api, struct evhttp_request *http, enum outcome outcome,
		     const char *content_type, struct evbuffer *body)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(http);

	if (body && evbuffer_get_length(body) >= REPLY_LARGE_BYTES)
		server_trim_memory_soon(api);
	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type", content_type);
	add_length(http, body);
	/* with a NULL phrase evhttp takes its own for the status */
	evhttp_send_reply(http, outcome_row(outcome)->http, NULL, body);
	if (body)
		evbuffer_free(body);
	if (api->ending && connection)
		push(connection);
}

void reply_send(struct api *api, struct evhttp_request *http, enum outcome outcome,
		struct json_object *body, const struct request_trace *trace)
{
	struct evbuffer *text = evbuffer_new();
	size_t length = 0;
	const char *json = json_object_to_json_string_length(body, REPLY_JSON_FLAGS, &length);

	if (!text || !json ||
	    (wants_body(http) && (evbuffer_add(text, json, length) || evbuffer_add(text, "\n", 1))))
		log_error("an answer was lost: %s", strerror(ENOMEM));
	transmit(api, http, outcome, "application/json", text);
	metrics_answered(api, trace, outcome);
}

void reply_send_written(struct api *api, struct evhttp_request *http, struct written *written,
			const struct request_trace *trace)
{
	struct evbuffer *text = TAKE_PTR(written->text);

	if (evbuffer_add(text, "}\n", 2))
		log_error("an answer was lost: %s", strerror(ENOMEM));
	transmit(api, http, OUTCOME_OK, "application/json", text);
	metrics_answered(api, trace, OUTCOME_OK);
}

void reply_send_text(struct api *api, struct evhttp_request *http, const char *content_type,
		     const char *body, const struct request_trace *trace)
{
	struct evbuffer *text = evbuffer_new();

	if (!text || (wants_body(http) && evbuffer_add(text, body, strlen(body))))
		log_error("an answer was lost: %s", strerror(ENOMEM));
	transmit(api, http, OUTCOME_OK, content_type, text);
	metrics_answered(api, trace, OUTCOME_OK);
}
