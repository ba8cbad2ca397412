/* SPDX-License-Identifier: MIT */
/* Without a health path: does anybody accept?  The kernel answers for the program here. */
#include <errno.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "health/internal.h"

static const struct {
	int error;
	enum health_result result;
} results[] = {
	{ ECONNREFUSED, HEALTH_REFUSED },      { ECONNRESET, HEALTH_RESET },
	{ EHOSTUNREACH, HEALTH_UNREACHABLE },  { ENETUNREACH, HEALTH_UNREACHABLE },
	{ EADDRNOTAVAIL, HEALTH_UNREACHABLE }, { EAFNOSUPPORT, HEALTH_UNREACHABLE },
	{ EACCES, HEALTH_UNREACHABLE },	       { EPERM, HEALTH_UNREACHABLE },
	{ ETIMEDOUT, HEALTH_TIMEOUT },
};

enum health_result health_connect_failed(struct health_check *c, int error)
{
	char address[NET_ADDR_STR_SIZE];
	bool v6 = c->target.family == AF_INET6;
	enum health_result result = HEALTH_FAILED;

	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		if (results[i].error == error)
			result = results[i].result;
	net_addr_format(c->target.family, &c->target.addr, address);
	if (result == HEALTH_REFUSED)
		snprintf(c->answer.details, sizeof(c->answer.details),
			 "nothing listens on %s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "",
			 c->target.port);
	else
		snprintf(c->answer.details, sizeof(c->answer.details), "%s%s%s:%u: %s",
			 v6 ? "[" : "", address, v6 ? "]" : "", c->target.port, strerror(error));
	return result;
}

static void on_event(struct bufferevent *socket, short what, void *user_data)
{
	struct health_check *c = user_data;
	int error = errno;

	if (what & BEV_EVENT_CONNECTED)
		health_settle(c, HEALTH_OK);
	else if (what & BEV_EVENT_ERROR)
		health_settle(c, health_connect_failed(c, error));
}

static int connect_to(struct bufferevent *socket, const struct health_target *t)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(t->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(t->port),
				   .sin6_scope_id = t->scope_id };
	bool is_v6 = t->family == AF_INET6;

	memcpy(&v4.sin_addr, t->addr.bytes, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, t->addr.bytes, sizeof(v6.sin6_addr));
	if (bufferevent_socket_connect(socket,
				       is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
				       is_v6 ? sizeof(v6) : sizeof(v4)))
		return errno ? -errno : -EIO;
	return 0;
}

void health_tcp_begin(struct health_check *c)
{
	int r;

	c->attempt.socket = bufferevent_socket_new(c->health->loop, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!c->attempt.socket) {
		health_settle(c, health_connect_failed(c, ENOMEM));
		return;
	}
	bufferevent_setcb(c->attempt.socket, NULL, NULL, on_event, c);
	r = connect_to(c->attempt.socket, &c->target);
	if (r)
		health_settle(c, health_connect_failed(c, -r));
}

void health_tcp_end(struct health_check *c)
{
	if (c->attempt.scheme == HEALTH_TCP && c->attempt.socket)
		bufferevent_free(c->attempt.socket);
	c->attempt.socket = NULL;
}
