/* SPDX-License-Identifier: MIT */
#include "http/request.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <inttypes.h>
#include <json-c/json_tokener.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/net.h"
#include "base/text.h"
#include "http/answer.h"
#include "http/internal.h"

static void json_tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

int request_fail(struct request *r, enum outcome outcome, const char *format, ...)
{
	char text[REQUEST_MESSAGE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* what the client sent may be quoted in it, cut in the middle of a character */
	text_to_utf8(text, r->message, sizeof(r->message));
	return outcome;
}

int request_init(struct request *ret, struct server *server, struct evhttp_request *http)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	struct ucred peer;
	socklen_t size = sizeof(peer);

	*ret = (struct request){
		.server = server,
		.api = server->config.api,
		.http = http,
		.now = time(NULL),
		.trace.began_us = clock_us(CLOCK_MONOTONIC),
	};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	ret->pid = peer.pid;
	ret->uid = peer.uid;
	ret->answer = answer_ok_new();
	return 0;
}

void request_deinit(struct request *r)
{
	for (int i = 0; i < ROUTE_NAMES_MAX; i++)
		free(r->params[i]);
	json_object_put(r->body);
	json_object_put(r->answer);
	written_deinit(&r->written);
	free(r->text);
	json_object_put(r->extra);
}

void request_keep(struct request *r, struct request *ret)
{
	*ret = *r;
	ret->trace.waits = true;
	memset(r->params, 0, sizeof(r->params));
	r->body = r->answer = r->extra = NULL;
	r->written = (struct written){ 0 };
	r->text = NULL;
	r->taken = true;
}

static int name_index(const struct route *route, const char *name, size_t length)
{
	for (int i = 0; i < ROUTE_NAMES_MAX && route->names[i]; i++)
		if (strlen(route->names[i]) == length && !strncmp(route->names[i], name, length))
			return i;
	return -1;
}

/* "id, port, range": what the route would have taken. */
static const char *names_text(const struct route *route, char *ret, size_t size)
{
	size_t used = 0;

	snprintf(ret, size, "none");
	for (int i = 0; i < ROUTE_NAMES_MAX && route->names[i] && used < size; i++)
		used += snprintf(ret + used, size - used, "%s%s", i ? ", " : "", route->names[i]);
	return ret;
}

/* A name that nobody reads is refused: ignored, a mistyped filter would show everything. */
static int unknown_name(struct request *r, const char *what, const char *name, size_t length)
{
	char legal[128];

	return request_fail(r, OUTCOME_BAD_REQUEST, "unknown %s \"%.*s\"; %s takes: %s", what,
			    (int)(length < 64 ? length : 64), name, r->route->path,
			    names_text(r->route, legal, sizeof(legal)));
}

static int decode_param(struct request *r, int index, const char *value, size_t length)
{
	_cleanup_free_ char *encoded = strndup(value, length);
	_cleanup_free_ char *decoded = NULL;
	size_t size = 0;

	if (!encoded)
		return -ENOMEM;
	decoded = evhttp_uridecode(encoded, 1, &size);
	if (!decoded)
		return -ENOMEM;
	if (size > REQUEST_PARAM_MAX_BYTES)
		return request_fail(r, OUTCOME_TOO_LARGE, "parameter %s is longer than %d bytes",
				    r->route->names[index], REQUEST_PARAM_MAX_BYTES);
	if (strlen(decoded) != size || !text_is_utf8(decoded, size))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"parameter %s is not text: it has a NUL byte or malformed UTF-8",
			r->route->names[index]);
	if (r->params[index])
		return request_fail(r, OUTCOME_BAD_REQUEST, "parameter %s is given twice",
				    r->route->names[index]);
	r->params[index] = TAKE_PTR(decoded);
	return 0;
}

/* evhttp's own parser cuts values at %00 and keeps only the last of two: read here instead. */
static int parse_query(struct request *r)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->http);
	const char *at = evhttp_uri_get_query(uri);

	while (at && *at) {
		size_t length = strcspn(at, "&"), name = strcspn(at, "=&");
		int index = name_index(r->route, at, name);
		int fault = 0;

		if (name && (r->route->method != ROUTE_GET || index < 0))
			return unknown_name(r, "parameter", at, name);
		if (name && name + 1 >= length)
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "parameter %s has no value; write %s=…",
					    r->route->names[index], r->route->names[index]);
		if (name)
			fault = decode_param(r, index, at + name + 1, length - name - 1);
		if (fault)
			return fault;
		at += length + (at[length] == '&');
	}
	return 0;
}

static int check_members(struct request *r)
{
	json_object_object_foreach(r->body, key, value) {
		(void)value;
		if (name_index(r->route, key, strlen(key)) < 0)
			return unknown_name(r, "member", key, strlen(key));
	}
	return 0;
}

int request_parse_body(struct request *r, const char *text, size_t size)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	enum json_tokener_error error;

	if (size > REQUEST_BODY_MAX_BYTES)
		return request_fail(r, OUTCOME_TOO_LARGE, "the body is longer than %d bytes",
				    REQUEST_BODY_MAX_BYTES);
	if (!size)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "the body is empty; send one JSON object");
	/* json-c's own check lets overlong forms and surrogates pass. */
	if (!text_is_utf8(text, size))
		return request_fail(r, OUTCOME_BAD_REQUEST, "the body is not JSON: not UTF-8");
	/* The tokener ends at a NUL byte: it is content here, so refuse it by hand. */
	if (memchr(text, 0, size))
		return request_fail(r, OUTCOME_BAD_REQUEST, "the body has a NUL byte");
	tokener = json_tokener_new_ex(REQUEST_JSON_DEPTH);
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
				    r->route->names[0]);
	return check_members(r);
}

static int parse_body(struct request *r)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(r->http);
	size_t size = evbuffer_get_length(input);
	/* of a body that is too long, only its length is asked for */
	const char *text = size && size <= REQUEST_BODY_MAX_BYTES
				   ? (const char *)evbuffer_pullup(input, -1)
				   : "";

	return text ? request_parse_body(r, text, size) : -ENOMEM;
}

void request_subject(struct request *r, const char *text)
{
	text_to_utf8(text, r->trace.subject, sizeof(r->trace.subject));
}

static void guess_subject(struct request *r)
{
	const char *first = r->route->names[0];
	const char *text = first ? r->params[0] : NULL;

	if (first && r->body)
		text = json_object_get_string(json_object_object_get(r->body, first));
	if (text)
		request_subject(r, text);
}

int request_parse(struct request *r, const struct route *route)
{
	int fault;

	r->route = route;
	r->trace.route = route;
	fault = parse_query(r);
	if (!fault && route->method == ROUTE_POST)
		fault = parse_body(r);
	if (!fault)
		guess_subject(r);
	return fault;
}

const char *request_param(const struct request *r, const char *name)
{
	int index = name_index(r->route, name, strlen(name));

	return index < 0 ? NULL : r->params[index];
}

static int bad_port(struct request *r, const char *name, const char *text)
{
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "%s \"%.64s\" is not a port; write a number from 1 to 65535, like 3000",
			    name, text);
}

int request_param_port(struct request *r, const char *name, uint16_t *ret)
{
	const char *text = request_param(r, name);

	*ret = 0;
	if (text && net_port_parse(text, ret))
		return bad_port(r, name, text);
	return 0;
}

int request_param_details(struct request *r, bool *ret)
{
	const char *text = request_param(r, "details");

	*ret = !text || strcmp(text, "no") != 0;
	if (*ret && text && strcmp(text, "yes") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "details \"%.32s\" is neither yes nor no", text);
	return 0;
}

int request_object_text(struct request *r, struct json_object *object, const char *name,
			const char **ret)
{
	struct json_object *member = json_object_object_get(object, name);

	*ret = NULL;
	if (!member)
		return 0;
	if (!json_object_is_type(member, json_type_string))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%s\" is not a string; write \"%s\": \"…\"", name, name);
	*ret = json_object_get_string(member);
	if (strlen(*ret) != (size_t)json_object_get_string_len(member))
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" has a NUL byte", name);
	return 0;
}

int request_member_text(struct request *r, const char *name, const char **ret)
{
	return request_object_text(r, r->body, name, ret);
}

int request_member_port(struct request *r, const char *name, uint16_t *ret)
{
	struct json_object *member = json_object_object_get(r->body, name);
	char digits[24];
	const char *text = digits;
	int fault;

	*ret = 0;
	if (!member)
		return 0;
	if (json_object_is_type(member, json_type_int)) {
		snprintf(digits, sizeof(digits), "%" PRId64, json_object_get_int64(member));
	} else {
		fault = request_member_text(r, name, &text);
		if (fault)
			return bad_port(r, name, json_object_get_string(member));
	}
	return net_port_parse(text, ret) ? bad_port(r, name, text) : 0;
}

int request_member_bool(struct request *r, const char *name, bool *ret)
{
	struct json_object *member = json_object_object_get(r->body, name);

	*ret = false;
	if (!member)
		return 0;
	if (!json_object_is_type(member, json_type_boolean))
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" is neither true nor false",
				    name);
	*ret = json_object_get_boolean(member);
	return 0;
}

int request_member_count(struct request *r, const char *name, int64_t *ret)
{
	struct json_object *member = json_object_object_get(r->body, name);

	*ret = 0;
	if (!member)
		return 0;
	if (!json_object_is_type(member, json_type_int) || json_object_get_int64(member) < 1)
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" is not a number from 1 on",
				    name);
	*ret = json_object_get_int64(member);
	return 0;
}

void request_caller(const struct request *r, struct process *ret)
{
	struct procfs_kept *kept = &r->server->callers[(unsigned)r->pid % SERVER_CALLERS];

	if (!r->pid || procfs_describe_kept(kept, r->pid, ret))
		*ret = (struct process){ 0 };
}

int request_fail_quota(struct request *r, enum quota_kind kind, int outcome)
{
	char text[QUOTA_REFUSAL_SIZE];

	quota_refusal(kind, (enum quota_outcome)outcome, text, sizeof(text));
	return request_fail(r, OUTCOME_TOO_LARGE, "%s", text);
}

int request_charge(struct request *r, enum quota_kind kind)
{
	int outcome = quota_charge(r->server->config.quota, r->uid, kind, 1);

	return outcome > 0 ? request_fail_quota(r, kind, outcome) : outcome;
}

int request_begin_write(struct request *r)
{
	int fault = r->server->config.calls->begin(r->api);

	if (!fault)
		r->writes = true;
	return fault;
}

void request_extra(struct request *r, const char *key, struct json_object *value)
{
	if (!r->extra)
		r->extra = json_object_new_object();
	json_add(r->extra, key, value);
}
