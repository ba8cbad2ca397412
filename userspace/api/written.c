/* SPDX-License-Identifier: MIT */
#include "api/written.h"

#include <errno.h>
#include <event2/buffer.h>

#include "api/reply.h"
#include "api/request.h"

static int add_text(struct written *w, const char *text, size_t length)
{
	return evbuffer_add(w->text, text, length) ? -ENOMEM : 0;
}

/* The text of an object without its last brace, or whole. */
static int add_object(struct written *w, struct json_object *o, size_t without)
{
	size_t length = 0;
	const char *json = json_object_to_json_string_length(o, REPLY_JSON_FLAGS, &length);

	return json ? add_text(w, json, length - without) : -ENOMEM;
}

static int begin(struct request *r)
{
	if (r->written.text)
		return 0;
	r->written.text = evbuffer_new();
	if (!r->written.text)
		return -ENOMEM;
	return add_object(&r->written, r->answer, 1);
}

int written_list_begin(struct request *r, const char *key)
{
	int fault = begin(r);

	if (fault)
		return fault;
	r->written.has_elements = false;
	/* every answer has members already: "ok" and "version" */
	return evbuffer_add_printf(r->written.text, ",\"%s\":[", key) < 0 ? -ENOMEM : 0;
}

int written_list_add(struct request *r, struct json_object *value)
{
	_cleanup_json_ struct json_object *o = value;
	int fault = r->written.has_elements ? add_text(&r->written, ",", 1) : 0;

	r->written.has_elements = true;
	r->written.rows++;
	return fault ? fault : add_object(&r->written, o, 0);
}

int written_list_end(struct request *r)
{
	return add_text(&r->written, "]", 1);
}

int written_member(struct request *r, const char *key, struct json_object *value)
{
	_cleanup_json_ struct json_object *o = value;
	int fault = begin(r);

	if (fault)
		return fault;
	if (evbuffer_add_printf(r->written.text, ",\"%s\":", key) < 0)
		return -ENOMEM;
	return add_object(&r->written, o, 0);
}

int64_t written_rows(const struct written *w)
{
	return w->rows;
}

size_t written_bytes(const struct written *w)
{
	return w->text ? evbuffer_get_length(w->text) : 0;
}

void written_deinit(struct written *w)
{
	if (w->text)
		evbuffer_free(w->text);
	w->text = NULL;
}
