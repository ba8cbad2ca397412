/* SPDX-License-Identifier: MIT */
#include "api/reply.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <string.h>

#include "api/server.h"
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

const char *reply_default_message(int result)
{
	if (result < 0)
		return strerror(-result);
	return outcome_row((enum outcome)result)->help;
}

static void count(struct api *api, enum outcome outcome, uint64_t began_us)
{
	uint64_t us = server_now_us() - began_us;

	api->counters.requests++;
	api->counters.errors += outcome != OUTCOME_OK;
	api->counters.total_us += us;
	if (us > api->counters.max_us)
		api->counters.max_us = us;
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

void reply_send(struct api *api, struct evhttp_request *http, enum outcome outcome,
		struct json_object *body, uint64_t began_us)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	struct evbuffer *text = evbuffer_new();
	/* evhttp would send a body to HEAD as well */
	bool has_body = evhttp_request_get_command(http) != EVHTTP_REQ_HEAD;
	size_t length = 0;
	const char *json = json_object_to_json_string_length(
		body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	if (!text || !json ||
	    (has_body && (evbuffer_add(text, json, length) || evbuffer_add(text, "\n", 1))))
		log_error("an answer was lost: %s", strerror(ENOMEM));
	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type",
			  "application/json");
	/* with a NULL phrase evhttp takes its own for the status */
	evhttp_send_reply(http, outcome_row(outcome)->http, NULL, text);
	if (text)
		evbuffer_free(text);
	if (api->ending && connection)
		push(connection);
	count(api, outcome, began_us);
}
