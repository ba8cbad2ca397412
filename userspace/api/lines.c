/* SPDX-License-Identifier: MIT */
#include "api/lines.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>

#include "api/api.h"
#include "api/connections.h"
#include "api/json.h"
#include "api/reply.h"

int lines_init(struct lines *l, struct api *api, struct evhttp_request *http)
{
	*l = (struct lines){
		.http = http,
		.connection = connection_of(api, evhttp_request_get_connection(http)),
		.gathered = evbuffer_new(),
	};
	return l->gathered ? 0 : -ENOMEM;
}

void lines_deinit(struct lines *l)
{
	if (l->gathered)
		evbuffer_free(l->gathered);
	l->gathered = NULL;
}

static void on_written(struct evhttp_connection *http, void *user_data)
{
	struct lines *l = user_data;

	l->writing = false;
	if (evbuffer_get_length(l->gathered))
		lines_flush(l);
	else if (l->all_left)
		l->all_left(l->user_data);
}

void lines_flush(struct lines *l)
{
	if (!evbuffer_get_length(l->gathered))
		return;
	l->writing = true;
	connection_sending(l->connection);
	evhttp_send_reply_chunk_with_cb(l->http, l->gathered, on_written, l);
	connection_sent(l->connection);
}

int lines_put(struct lines *l, struct json_object *line)
{
	size_t length = 0, gathered = evbuffer_get_length(l->gathered);
	const char *json = json_object_to_json_string_length(line, REPLY_JSON_FLAGS, &length);

	if (!json)
		return -ENOMEM;
	if (gathered + length > API_STREAM_BACKLOG_BYTES ||
	    connection_hold(l->connection, length + 1))
		return -ENOBUFS;
	if (evbuffer_expand(l->gathered, length + 1) || evbuffer_add(l->gathered, json, length) ||
	    evbuffer_add(l->gathered, "\n", 1))
		return -ENOMEM;
	if (!l->writing)
		lines_flush(l);
	return 0;
}

size_t lines_gathered(const struct lines *l)
{
	return evbuffer_get_length(l->gathered);
}
