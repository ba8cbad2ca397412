/* SPDX-License-Identifier: MIT */
#include "http/written.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "http/answer.h"
#include "http/json.h"
#include "http/request.h"

#define ROW_FIRST_BYTES 512 /* most rows; doubled where one has a thousand holders */
#define DIGITS_MAX	20  /* of an int64_t with its sign */

static int add_text(struct written *w, const char *text, size_t length)
{
	return evbuffer_add(w->text, text, length) ? -ENOMEM : 0;
}

/* The text of an object without its last brace, or whole. */
static int add_object(struct written *w, struct json_object *o, size_t without)
{
	size_t length = 0;
	const char *json = json_object_to_json_string_length(o, ANSWER_JSON_FLAGS, &length);

	if (!json || json_fell_short())
		return -ENOMEM;
	return add_text(w, json, length - without);
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

/* --- member by member ------------------------------------------------------------------------ */

/* Room for n bytes more, or NULL; they count as written. */
static char *extend(struct written *w, size_t n)
{
	size_t size = w->row_size ? w->row_size : ROW_FIRST_BYTES;
	char *row;

	while (size < w->row_used + n)
		size *= 2;
	if (size != w->row_size) {
		row = realloc(w->row, size);
		if (!row) {
			w->no_memory = true;
			return NULL;
		}
		w->row = row;
		w->row_size = size;
	}
	w->row_used += n;
	return w->row + w->row_used - n;
}

static void put(struct written *w, const char *bytes, size_t n)
{
	char *to = extend(w, n);

	if (to)
		memcpy(to, bytes, n);
}

static void put_literal(struct written *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_key(struct written *w, const char *key)
{
	size_t n = strlen(key);
	char *to = extend(w, n + 4);

	if (!to)
		return;
	to[0] = to == w->row ? '{' : ',';
	to[1] = '"';
	memcpy(to + 2, key, n);
	memcpy(to + 2 + n, "\":", 2);
}

static void put_int(struct written *w, int64_t value)
{
	char digits[DIGITS_MAX], *at = digits + sizeof(digits);
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	put(w, at, (size_t)(digits + sizeof(digits) - at));
}

/* The escapes of json-c: quotes, backslashes and what stands below the space. */
static void put_escaped(struct written *w, char c)
{
	static const char short_forms[] = { ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
					    ['\n'] = 'n', ['\r'] = 'r',	 ['\t'] = 't' };
	char text[8];

	if (short_forms[(unsigned char)c])
		snprintf(text, sizeof(text), "\\%c", short_forms[(unsigned char)c]);
	else
		snprintf(text, sizeof(text), "\\u%04x", c);
	put_literal(w, text);
}

static bool needs_escape(char c)
{
	return (unsigned char)c < ' ' || c == '"' || c == '\\';
}

static void put_string(struct written *w, const char *text)
{
	put(w, "\"", 1);
	while (*text) {
		size_t n = 0;

		while (text[n] && !needs_escape(text[n]))
			n++;
		put(w, text, n);
		text += n;
		if (*text)
			put_escaped(w, *text++);
	}
	put(w, "\"", 1);
}

void written_object_begin(struct written *w)
{
	w->row_used = 0;
	w->no_memory = false;
}

void written_text(struct written *w, const char *key, const char *text)
{
	char clean[JSON_TEXT_MAX_BYTES];

	put_key(w, key);
	if (!text || !*text)
		put(w, "null", 4);
	else
		put_string(w, text_to_utf8(text, clean, sizeof(clean)));
}

void written_int(struct written *w, const char *key, int64_t value)
{
	put_key(w, key);
	put_int(w, value);
}

void written_known(struct written *w, const char *key, int64_t value)
{
	put_key(w, key);
	if (value)
		put_int(w, value);
	else
		put(w, "null", 4);
}

void written_bool(struct written *w, const char *key, bool value)
{
	put_key(w, key);
	put_literal(w, value ? "true" : "false");
}

void written_ints(struct written *w, const char *key, size_t n,
		  int64_t (*get)(const void *list, size_t i), const void *list)
{
	put_key(w, key);
	put(w, "[", 1);
	for (size_t i = 0; i < n; i++) {
		if (i)
			put(w, ",", 1);
		put_int(w, get(list, i));
	}
	put(w, "]", 1);
}

int written_object_end(struct written *w)
{
	int fault = w->has_elements ? add_text(w, ",", 1) : 0;

	put(w, "}", 1);
	w->has_elements = true;
	w->rows++;
	if (!fault && w->no_memory)
		fault = -ENOMEM;
	return fault ? fault : add_text(w, w->row, w->row_used);
}

void written_deinit(struct written *w)
{
	free(w->row);
	w->row = NULL;
	w->row_size = 0;
	if (w->text)
		evbuffer_free(w->text);
	w->text = NULL;
}
