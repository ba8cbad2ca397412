/* SPDX-License-Identifier: MIT */
#include "http/request.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>

#include "base/build.h"
#include "base/clock.h"
#include "base/text.h"
#include "http/answer.h"
#include "http/connections.h"
#include "http/internal.h"

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
	char product[BUILD_PRODUCT_SIZE];

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
	evhttp_add_header(evhttp_request_get_output_headers(http), "Server",
			  build_product(BUILD_PROGRAM_DAEMON, product));
	return 0;
}

void request_deinit(struct request *r)
{
	for (int i = 0; i < ROUTE_PARAMS_MAX; i++)
		free(r->given[i]);
	free(r->params);
	free(r->work);
	json_object_put(r->body);
	json_object_put(r->answer);
	written_deinit(&r->written);
	free(r->text);
	json_object_put(r->extra);
}

void request_subject(struct request *r, const char *text)
{
	text_to_utf8(text, r->trace.subject, sizeof(r->trace.subject));
}

void request_caller(const struct request *r, struct process *ret)
{
	struct procfs_kept *kept = &r->server->callers[(unsigned)r->pid % r->server->n_callers];

	if (!r->pid || procfs_describe_kept(kept, r->pid, ret))
		*ret = (struct process){ 0 };
}

uid_t request_user(struct request *r)
{
	struct evhttp_connection *http = evhttp_request_get_connection(r->http);
	struct connection *c = http ? connection_of(r->server, http) : NULL;

	if (!r->user_known)
		r->user = c ? connection_user(c, r->pid) : r->uid;
	r->user_known = true;
	return r->user;
}

const char *request_caller_name(const struct request *r, char ret[REQUEST_COMM_SIZE])
{
	struct process peer;

	request_caller(r, &peer);
	return text_to_utf8(peer.comm, ret, REQUEST_COMM_SIZE);
}

int request_fail_quota(struct request *r, enum quota_kind kind, int outcome)
{
	char text[QUOTA_REFUSAL_SIZE];

	quota_refusal(quota_limit_of(r->server->config.quota, kind), (enum quota_outcome)outcome,
		      text, sizeof(text));
	return request_fail(r, OUTCOME_TOO_LARGE, "%s", text);
}

int request_begin_write(struct request *r)
{
	int fault = r->server->config.calls->begin(r->api);

	if (!fault)
		r->writes = true;
	return fault;
}

struct json_object *request_extras(struct request *r)
{
	if (!r->extra)
		r->extra = json_object_new_object();
	return r->extra;
}

void request_extra(struct request *r, const char *key, struct json_object *value)
{
	json_add(request_extras(r), key, value);
}
