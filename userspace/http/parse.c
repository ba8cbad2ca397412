/* SPDX-License-Identifier: MIT */
#include "http/parse.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <json-c/json_tokener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "http/request.h"

#define JSON_DEPTH 8 /* no body of ours nests deeper than one level */

static void json_tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

/* --- names --- */

static size_t count_params(const struct route *route)
{
	size_t n = 0;

	while (n < ROUTE_PARAMS_MAX && route->params[n].name)
		n++;
	return n;
}

/* The index of a name, or -1. */
static int find_param(const struct param *params, size_t n, const char *name, size_t length)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(params[i].name) == length && !strncmp(params[i].name, name, length))
			return (int)i;
	return -1;
}

static int find_in_route(const struct route *route, const char *name, size_t length)
{
	return find_param(route->params, count_params(route), name, length);
}

/* "id, port, range": what would have been taken. */
static const char *names_text(const struct param *params, size_t n, char *ret, size_t size)
{
	size_t used = 0;

	snprintf(ret, size, "none");
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? ", " : "",
					 params[i].name);
	return ret;
}

/* A pd that came with another daemon, and may know what this one does not. */
static bool asks_for_another_build(const struct request *r)
{
	const char *agent = r->http ? evhttp_find_header(evhttp_request_get_input_headers(r->http),
							 "User-Agent")
				    : NULL;
	struct build build;

	return agent && build_parse(agent, BUILD_PROGRAM_PD, &build) && !build_is_own(&build);
}

/* Tells a pd what was left out; names that are none of pd's stay unsaid. */
static void note_ignored(struct request *r, const char *name, size_t length)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)(length < 64 ? length : 63), name);
	if (text_is_shell_word(text))
		evhttp_add_header(evhttp_request_get_output_headers(r->http), PARSE_IGNORED_HEADER,
				  text);
}

/*
 * A name that nobody reads is refused: ignored, a mistyped filter would show everything.  A pd of
 * another build has not mistyped it, and says what was left out.
 */
static int unknown_name(struct request *r, const char *what, const char *name, size_t length)
{
	char legal[128];

	if (asks_for_another_build(r)) {
		note_ignored(r, name, length);
		return 0;
	}
	return request_fail(
		r, OUTCOME_BAD_REQUEST, "unknown %s \"%.*s\"; %s takes: %s", what,
		(int)(length < 64 ? length : 64), name, r->route->path,
		names_text(r->route->params, count_params(r->route), legal, sizeof(legal)));
}

/* --- values --- */

/* Most kinds read texts only. */
static int check_text(struct request *r, const struct param *p, const struct param_value *value)
{
	if (!value->text)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%s\" is not a string; write \"%s\": \"…\"", p->name,
				    p->name);
	if (value->json && !param_is_whole(value))
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" has a NUL byte", p->name);
	return 0;
}

static int read_value(struct request *r, const struct param *p, const struct param_value *value,
		      void *params)
{
	void *ret = (char *)params + p->offset;
	int fault;

	if (p->otherwise)
		*(int64_t *)ret = p->otherwise;
	if (value->text || value->json) {
		fault = p->of_any_type ? 0 : check_text(r, p, value);
		return fault ? fault : p->read(r, p, value, ret);
	}
	if (p->missing)
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" is missing%s", p->name,
				    p->missing);
	return 0;
}

static struct param_value member_of(struct json_object *object, const char *name)
{
	struct json_object *json = json_object_object_get(object, name);
	bool is_text = json_object_is_type(json, json_type_string);

	return (struct param_value){ is_text ? json_object_get_string(json) : NULL, json };
}

/* --- the query --- */

static int decode_param(struct request *r, int index, const char *value, size_t length)
{
	_cleanup_free_ char *encoded = strndup(value, length);
	_cleanup_free_ char *decoded = NULL;
	const char *name = r->route->params[index].name;
	size_t size = 0;

	if (!encoded)
		return -ENOMEM;
	decoded = evhttp_uridecode(encoded, 1, &size);
	if (!decoded)
		return -ENOMEM;
	if (size > PARSE_PARAM_MAX_BYTES)
		return request_fail(r, OUTCOME_TOO_LARGE, "parameter %s is longer than %d bytes",
				    name, PARSE_PARAM_MAX_BYTES);
	if (strlen(decoded) != size || !text_is_utf8(decoded, size))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"parameter %s is not text: it has a NUL byte or malformed UTF-8", name);
	if (r->given[index])
		return request_fail(r, OUTCOME_BAD_REQUEST, "parameter %s is given twice", name);
	r->given[index] = TAKE_PTR(decoded);
	return 0;
}

/* evhttp's own parser cuts values at %00 and keeps only the last of two: read here instead. */
static int parse_query(struct request *r)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->http);
	const char *at = evhttp_uri_get_query(uri);

	while (at && *at) {
		size_t length = strcspn(at, "&"), name = strcspn(at, "=&");
		int index = find_in_route(r->route, at, name);
		int fault = 0;

		if (name && (r->route->method != ROUTE_GET || index < 0)) {
			fault = unknown_name(r, "parameter", at, name);
			name = 0;
		}
		if (name && name + 1 >= length)
			return request_fail(
				r, OUTCOME_BAD_REQUEST, "parameter %s has no value; write %s=…",
				r->route->params[index].name, r->route->params[index].name);
		if (name)
			fault = decode_param(r, index, at + name + 1, length - name - 1);
		if (fault)
			return fault;
		at += length + (at[length] == '&');
	}
	return 0;
}

/* --- the body --- */

static int read_json(struct request *r, const char *text, size_t size)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener =
		json_tokener_new_ex(JSON_DEPTH);
	enum json_tokener_error error;

	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	r->body = json_tokener_parse_ex(tokener, text, (int)size);
	error = json_tokener_get_error(tokener);
	if (error == json_tokener_continue) {
		/* a bare number or an unfinished object: the end of the input decides */
		json_object_put(r->body);
		r->body = json_tokener_parse_ex(tokener, "", 1);
		error = json_tokener_get_error(tokener);
	}
	if (error != json_tokener_success)
		return request_fail(r, OUTCOME_BAD_REQUEST, "the body is not JSON: %s at byte %zu",
				    json_tokener_error_desc(error),
				    json_tokener_get_parse_end(tokener));
	if (!json_object_is_type(r->body, json_type_object))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "the body is not a JSON object; write {\"%s\": …}",
				    r->route->params[0].name);
	return 0;
}

int parse_body(struct request *r, const char *text, size_t size)
{
	int fault;

	if (size > PARSE_BODY_MAX_BYTES)
		return request_fail(r, OUTCOME_TOO_LARGE, "the body is longer than %d bytes",
				    PARSE_BODY_MAX_BYTES);
	if (!size)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "the body is empty; send one JSON object");
	/* json-c's own check lets overlong forms and surrogates pass. */
	if (!text_is_utf8(text, size))
		return request_fail(r, OUTCOME_BAD_REQUEST, "the body is not JSON: not UTF-8");
	/* The tokener ends at a NUL byte: it is content here, so refuse it by hand. */
	if (memchr(text, 0, size))
		return request_fail(r, OUTCOME_BAD_REQUEST, "the body has a NUL byte");
	fault = read_json(r, text, size);
	if (fault)
		return fault;
	json_object_object_foreach(r->body, key, value) {
		(void)value;
		if (!fault && find_in_route(r->route, key, strlen(key)) < 0)
			fault = unknown_name(r, "member", key, strlen(key));
	}
	return fault;
}

static int read_body(struct request *r)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(r->http);
	size_t size = evbuffer_get_length(input);
	/* of a body that is too long, only its length is asked for */
	const char *text = size && size <= PARSE_BODY_MAX_BYTES
				   ? (const char *)evbuffer_pullup(input, -1)
				   : "";

	return text ? parse_body(r, text, size) : -ENOMEM;
}

int parse_object(struct request *r, struct json_object *object, const char *in,
		 const struct param *params, size_t n, void *ret)
{
	char legal[128];
	int fault = 0;

	json_object_object_foreach(object, key, member) {
		(void)member;
		if (find_param(params, n, key, strlen(key)) >= 0)
			continue;
		if (!asks_for_another_build(r))
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "unknown member \"%.64s\" in \"%s\"; it takes: %s", key,
					    in, names_text(params, n, legal, sizeof(legal)));
		note_ignored(r, key, strlen(key));
	}
	for (size_t i = 0; !fault && i < n; i++) {
		const struct param_value value = member_of(object, params[i].name);

		fault = read_value(r, &params[i], &value, ret);
	}
	return fault;
}

/* --- all of it --- */

static struct param_value value_of(const struct request *r, size_t index)
{
	if (r->body)
		return member_of(r->body, r->route->params[index].name);
	return (struct param_value){ .text = r->given[index] };
}

static void guess_subject(struct request *r)
{
	struct param_value first;

	if (!r->route->params[0].name)
		return;
	first = value_of(r, 0);
	if (first.json)
		first.text = json_object_get_string(first.json);
	if (first.text)
		request_subject(r, first.text);
}

static int read_values(struct request *r)
{
	const struct route *route = r->route;
	size_t n = count_params(route);
	int fault = 0;

	if (!route->params_size)
		return 0;
	r->params = calloc(1, route->params_size);
	if (!r->params)
		return -ENOMEM;
	for (size_t i = 0; !fault && i < n; i++) {
		const struct param_value value = value_of(r, i);

		fault = read_value(r, &route->params[i], &value, r->params);
	}
	return fault;
}

int parse_request(struct request *r, const struct route *route)
{
	int fault;

	r->route = route;
	r->trace.route = route;
	fault = parse_query(r);
	if (!fault && route->method == ROUTE_POST)
		fault = read_body(r);
	if (fault)
		return fault;
	guess_subject(r);
	return read_values(r);
}

bool parse_was_given(const struct request *r, const char *name)
{
	int index = find_in_route(r->route, name, strlen(name));
	struct param_value value = index < 0 ? (struct param_value){ 0 } : value_of(r, index);

	return value.text || value.json;
}
