/* SPDX-License-Identifier: MIT */
/*
 * One GET with libevent's HTTP client, and what it leaves untold.  Facts of libevent 2.1:
 *
 * - A failed connect() ends in the request's callback alone where it was refused, and in the error
 *   callback with errno where it failed otherwise.
 * - A reset and a close look the same to the callbacks: the kernel's state of the connection, read
 *   before libevent closes it, tells them apart.
 * - What is no HTTP is known to it when a line ends, which may never be: the bytes are looked at as
 *   they come.
 * - Its own timeouts begin anew with each byte: the check's deadline is ours, its are only longer.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "health/internal.h"

#define USER_AGENT "port-daddy"
/* linux/tcp_states.h, as TCP_INFO tells them */
#define STATE_CLOSE	 7
#define STATE_CLOSE_WAIT 8
#define TLS_ALERT	 0x15 /* first byte of a record; the next one is TLS's major version */
#define TLS_MAJOR	 0x03

/* --- what came --- */

/* Text that a server sent: cut, valid UTF-8, nothing in it that a terminal would act on. */
static void keep_text(const char *text, char *ret, size_t size)
{
	char escaped[4 * HEALTH_DETAILS_SIZE];

	text_escape_terminal(text, escaped, sizeof(escaped));
	text_to_utf8(escaped, ret, size);
}

static bool is_tls_record(const struct attempt *a)
{
	return a->received >= 2 && a->first[0] == TLS_ALERT && a->first[1] == TLS_MAJOR;
}

static bool begins_like_http(const struct attempt *a)
{
	static const char prefix[] = "HTTP/";
	size_t n = a->received < strlen(prefix) ? a->received : strlen(prefix);

	return memcmp(a->first, prefix, n) == 0;
}

static void describe_strange_bytes(struct health_check *c)
{
	const struct attempt *a = &c->attempt;
	size_t n = a->received < sizeof(a->first) ? a->received : sizeof(a->first);
	char text[ATTEMPT_FIRST_BYTES + 1] = "", kept[HEALTH_DETAILS_SIZE / 2];

	if (is_tls_record(a)) {
		strcpy(c->answer.details, "it speaks TLS");
		return;
	}
	memcpy(text, a->first, n);
	text[strcspn(text, "\r\n")] = '\0';
	keep_text(text, kept, sizeof(kept));
	snprintf(c->answer.details, sizeof(c->answer.details), "its answer begins with \"%s\"",
		 kept);
}

static void settle_not_http(struct health_check *c)
{
	if (c->attempt.received > HEALTH_HEAD_MAX_BYTES && begins_like_http(&c->attempt))
		snprintf(c->answer.details, sizeof(c->answer.details),
			 "the head of its answer is longer than %d bytes", HEALTH_HEAD_MAX_BYTES);
	else if (begins_like_http(&c->attempt))
		strcpy(c->answer.details, "the head of its answer is malformed");
	else
		describe_strange_bytes(c);
	health_settle(c, HEALTH_NOT_HTTP);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *user_data)
{
	struct health_check *c = user_data;
	struct attempt *a = &c->attempt;

	if (!info->n_added || a->head_known)
		return;
	if (a->received < sizeof(a->first) && info->orig_size == a->received)
		evbuffer_copyout(input, a->first, sizeof(a->first));
	a->received += info->n_added;
	if (!begins_like_http(a))
		settle_not_http(c);
}

static int on_head(struct evhttp_request *request, void *user_data)
{
	struct health_check *c = user_data;
	int status = evhttp_request_get_response_code(request);
	const char *reason = evhttp_request_get_response_code_line(request);

	if (c->state == CHECK_SETTLED)
		return -1;
	c->answer.http_status = status;
	c->answer.result = status >= 200 && status < 400 ? HEALTH_OK : HEALTH_HTTP_ERROR;
	keep_text(reason ? reason : "", c->answer.reason, sizeof(c->answer.reason));
	if (c->attempt.scheme == HEALTH_HTTPS)
		snprintf(c->answer.details, sizeof(c->answer.details), "%scertificate not verified",
			 c->tried_tls ? "it speaks HTTPS, not HTTP; " : "");
	health_head_known(c);
	/* An interim answer: libevent would begin anew for as many as come. */
	return status < 200 ? -1 : 0;
}

/* --- how it ended --- */

/*
 * Before libevent closes.  Where the server closed first, its end would stay in TIME_WAIT on the
 * service's port, and a server without SO_REUSEADDR could not start there for a minute.  Nobody
 * sees the reset that prevents this: the server has given the socket up.
 */
static void on_close(struct evhttp_connection *connection, void *user_data)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct health_check *c = user_data;
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	struct tcp_info info;
	socklen_t size = sizeof(info);

	c->attempt.connected = true;
	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		return;
	c->attempt.tcp_state = info.tcpi_state;
	if (info.tcpi_state == STATE_CLOSE_WAIT)
		(void)!connect(fd, &nowhere, sizeof(nowhere)); /* best effort */
}

static void settle_ended(struct health_check *c)
{
	struct attempt *a = &c->attempt;

	if (a->received && !begins_like_http(a)) {
		settle_not_http(c);
	} else if (a->tcp_state == STATE_CLOSE) {
		strcpy(c->answer.details, "the connection was reset");
		health_settle(c, HEALTH_RESET);
	} else {
		strcpy(c->answer.details, a->received ? "closed in the middle of its answer"
						      : "closed without an answer");
		health_settle(c, HEALTH_CLOSED);
	}
}

static void settle_failed(struct health_check *c)
{
	struct attempt *a = &c->attempt;
	char fault[HEALTH_DETAILS_SIZE / 2];

	if (a->scheme == HEALTH_HTTPS && health_tls_fault(a->socket, fault, sizeof(fault))) {
		snprintf(c->answer.details, sizeof(c->answer.details), "TLS: %s", fault);
		health_settle(c, HEALTH_TLS_FAILED);
	} else if (!a->failed) {
		health_settle(c, health_connect_failed(c, ECONNREFUSED));
	} else if (a->connected && a->error == EVREQ_HTTP_EOF) {
		settle_ended(c);
	} else if (a->connected) {
		settle_not_http(c);
	} else if (a->scheme == HEALTH_HTTPS && a->system_error != ECONNREFUSED) {
		/* connected, and ended before TLS stood */
		strcpy(c->answer.details, "TLS: closed during the handshake");
		health_settle(c, HEALTH_TLS_FAILED);
	} else {
		health_settle(c, health_connect_failed(c, a->system_error));
	}
}

static void on_error(enum evhttp_request_error error, void *user_data)
{
	struct health_check *c = user_data;

	c->attempt.system_error = errno;
	c->attempt.failed = true;
	c->attempt.error = error;
}

static void on_done(struct evhttp_request *request, void *user_data)
{
	struct health_check *c = user_data;

	if (c->state == CHECK_SETTLED)
		return;
	if (c->attempt.head_known)
		health_settle(c, c->answer.result);
	else
		settle_failed(c);
}

/*
 * No byte came, or TLS's alert; a 400 because Go's and nginx's servers say in plain HTTP that they
 * wanted TLS.  Other bytes come from servers that speak neither.
 */
bool health_http_hints_at_tls(const struct health_check *c)
{
	switch (c->answer.result) {
	case HEALTH_HTTP_ERROR:
		return c->answer.http_status == HTTP_BADREQUEST;
	case HEALTH_RESET:
	case HEALTH_CLOSED:
		return c->attempt.received == 0;
	case HEALTH_NOT_HTTP:
		return is_tls_record(&c->attempt);
	default:
		return false;
	}
}

/* --- the request --- */

static void format_address(const struct health_target *t, char *ret, size_t size)
{
	char address[NET_ADDR_STR_SIZE];

	net_addr_format(t->family, &t->addr, address);
	if (t->scope_id)
		snprintf(ret, size, "%s%%%u", address, t->scope_id);
	else
		snprintf(ret, size, "%s", address);
}

static int open_connection(struct health_check *c, bool tls)
{
	/* never before ours */
	struct timeval timeout = { .tv_sec = c->timeout_ms / 1000 + 2 };
	struct attempt *a = &c->attempt;
	struct bufferevent *socket = NULL;
	char address[NET_ADDR_STR_SIZE + 16];
	int r = tls ? health_tls_socket_new(c->health, c->target.host, &socket) : 0;

	if (r)
		return r;
	format_address(&c->target, address, sizeof(address));
	/* numeric: no resolver is asked; frees the socket when it fails */
	a->connection = evhttp_connection_base_bufferevent_new(c->health->loop, NULL, socket,
							       address, c->target.port);
	if (!a->connection)
		return -ENOMEM;
	a->socket = evhttp_connection_get_bufferevent(a->connection);
	evhttp_connection_set_timeout_tv(a->connection, &timeout);
	evhttp_connection_set_retries(a->connection, 0);
	evhttp_connection_set_max_headers_size(a->connection, HEALTH_HEAD_MAX_BYTES);
	evhttp_connection_set_max_body_size(a->connection, HEALTH_BODY_MAX_BYTES);
	evhttp_connection_set_closecb(a->connection, on_close, c);
	if (!evbuffer_add_cb(bufferevent_get_input(a->socket), on_input, c))
		return -ENOMEM;
	return 0;
}

/* Without "Connection: close": it would have the server close first, see on_close(). */
static int send_request(struct health_check *c)
{
	struct evhttp_request *request = evhttp_request_new(on_done, c);
	struct evkeyvalq *headers;
	char host[NET_ADDR_STR_SIZE + 16];

	if (!request)
		return -ENOMEM;
	evhttp_request_set_header_cb(request, on_head);
	evhttp_request_set_error_cb(request, on_error);
	snprintf(host, sizeof(host), "%s:%u", c->target.host, c->target.port);
	headers = evhttp_request_get_output_headers(request);
	evhttp_add_header(headers, "Host", host);
	evhttp_add_header(headers, "User-Agent", USER_AGENT);
	evhttp_add_header(headers, "Accept", "*/*");
	/* takes the request over, also when it fails */
	if (evhttp_make_request(c->attempt.connection, request, EVHTTP_REQ_GET, c->target.path))
		return -EIO;
	return 0;
}

void health_http_begin(struct health_check *c, bool tls)
{
	int r = open_connection(c, tls);

	r = r ?: send_request(c);
	if (r)
		health_settle(c, health_connect_failed(c, -r));
}

void health_http_end(struct health_check *c)
{
	struct attempt *a = &c->attempt;

	if (!a->connection)
		return;
	evbuffer_remove_cb(bufferevent_get_input(a->socket), on_input, c);
	evhttp_connection_free(a->connection);
	a->connection = NULL;
	a->socket = NULL;
}
