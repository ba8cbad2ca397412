/* SPDX-License-Identifier: MIT */
#include "http/connections.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/quota.h"
#include "http/answer.h"
#include "http/internal.h"
#include "http/reserve.h"
#include "http/trim.h"

/* Connections that wait to be accepted, as many as are served; a client beyond them waits in its
 * connect(), behind whoever came before. */
#define LISTEN_BACKLOG 256
/* After accept() failed (no descriptors left) the listener would be ready again at once. */
#define ACCEPT_PAUSE_MS 100

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct connections *all;
	struct evhttp_connection *http;
	struct evbuffer *output; /* of its bufferevent */
	int fd;
	uid_t uid;
	uid_t user; /* connection_user(); PROCESS_UID_UNKNOWN until somebody asks */
	struct event *deadline;
	bool asked;	      /* its request waits for an answer */
	bool dropped;	      /* ends in the next turn */
	bool sending;	      /* what was held is on its way into the output */
	size_t charged, held; /* bytes; those in the output are charged, too, but for small ones */
	connection_ended ended;
	void *user_data;
};

struct connections {
	struct server *server;
	struct evconnlistener *listener; /* evhttp's once bound */
	struct event *accept_again;	 /* after accept() ran out of descriptors */
	struct event *judge;
	struct bufferevent *fresh[CONNECTIONS_PER_TURN]; /* accepted, not judged yet; referenced */
	size_t n_fresh, per_turn;
	TAILQ_HEAD(connection_list, connection) list; /* oldest first */
	struct connection **by_fd;
	size_t by_fd_size;
};

/* --- one connection --- */

/* What is neither held nor in the output any more is given back. */
static void settle(struct connection *c, size_t in_output)
{
	size_t left = c->held + in_output;

	if (c->sending || left >= c->charged)
		return;
	quota_give_back(c->all->server->config.quota, c->uid, QUOTA_UNSENT_BYTES,
			c->charged - left);
	c->charged = left;
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *user_data)
{
	settle(user_data, info->orig_size + info->n_added - info->n_deleted);
}

static void connection_free(struct connection *c)
{
	struct connections *cs = c->all;

	TAILQ_REMOVE(&cs->list, c, entry);
	cs->by_fd[c->fd] = NULL;
	evbuffer_remove_cb(c->output, on_output, c);
	if (c->charged)
		trim_soon(cs->server->trim);
	trim_later(cs->server->trim);
	quota_give_back(cs->server->config.quota, c->uid, QUOTA_UNSENT_BYTES, c->charged);
	quota_give_back(cs->server->config.quota, c->uid, QUOTA_CONNECTIONS, 1);
	event_free(c->deadline);
	free(c);
}

static void on_end(struct evhttp_connection *http, void *user_data)
{
	struct connection *c = user_data;
	connection_ended ended = c->ended;

	c->ended = NULL;
	if (ended)
		ended(http, c->user_data);
	connection_free(c);
}

/* A half request, however busily its bytes drip, an idle client, or an answer that nobody reads. */
static void on_deadline(evutil_socket_t fd, short what, void *user_data)
{
	struct connection *c = user_data;

	evhttp_connection_free(c->http);
}

struct connection *connection_of(const struct server *server, struct evhttp_connection *http)
{
	const struct connections *cs = server->connections;
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(http));
	bool known = fd >= 0 && (size_t)fd < cs->by_fd_size && cs->by_fd[fd];

	return known && cs->by_fd[fd]->http == http ? cs->by_fd[fd] : NULL;
}

void connection_on_end(struct connection *c, connection_ended ended, void *user_data)
{
	c->ended = ended;
	c->user_data = user_data;
}

static void start_deadline(struct connection *c)
{
	unsigned ms = c->all->server->config.request_timeout_ms;
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (!c->dropped && event_add(c->deadline, &wait))
		connection_drop(c);
}

void connection_asked(struct connection *c)
{
	c->asked = true;
	event_del(c->deadline);
}

void connection_answered(struct connection *c)
{
	c->asked = false;
	start_deadline(c);
}

int connection_hold(struct connection *c, size_t bytes)
{
	int r = quota_charge(c->all->server->config.quota, c->uid, QUOTA_UNSENT_BYTES, bytes);

	if (r)
		return r;
	c->charged += bytes;
	c->held += bytes;
	return 0;
}

void connection_sending(struct connection *c)
{
	c->sending = true;
	c->held = 0;
}

void connection_sent(struct connection *c)
{
	c->sending = false;
	settle(c, evbuffer_get_length(c->output));
}

void connection_drop(struct connection *c)
{
	c->dropped = true;
	event_active(c->deadline, EV_TIMEOUT, 0);
}

uid_t connection_uid(const struct connection *c)
{
	return c->uid;
}

uid_t connection_user(struct connection *c, pid_t pid)
{
	struct process_id peer;

	if (c->user != PROCESS_UID_UNKNOWN)
		return c->user;
	if (c->uid == 0 && pid && !procfs_identity(pid, &peer))
		c->user = procfs_starter(&peer);
	if (c->user == PROCESS_UID_UNKNOWN)
		c->user = c->uid;
	return c->user;
}

/* --- admission --- */

/* Says why, as far as the socket takes it at once. */
static void refuse(const struct quota *quota, int fd, int outcome)
{
	char reason[QUOTA_REFUSAL_SIZE] = "the daemon is out of memory; try again", text[768];
	_cleanup_json_ struct json_object *body = NULL;
	const char *json;
	int length;

	if (outcome > 0)
		quota_refusal(quota_limit_of(quota, QUOTA_CONNECTIONS), outcome, reason,
			      sizeof(reason));
	body = answer_error_new(OUTCOME_TOO_LARGE, reason, NULL);
	json = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
	length = snprintf(text, sizeof(text),
			  "HTTP/1.1 503 Service Unavailable\r\n"
			  "Content-Type: application/json\r\nConnection: close\r\n"
			  "Content-Length: %zu\r\n\r\n%s\n",
			  strlen(json) + 1, json);
	if (send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("a refused client had left: %s", strerror(errno));
}

static bool make_room(struct connections *cs, size_t fd)
{
	size_t size = cs->by_fd_size;

	if (array_reserve(cs->by_fd, cs->by_fd_size, fd + 1, 64))
		return false;
	memset(cs->by_fd + size, 0, (cs->by_fd_size - size) * sizeof(struct connection *));
	return true;
}

static uint64_t connections_of(const struct connections *cs, uid_t uid)
{
	return quota_used(cs->server->config.quota, uid, QUOTA_CONNECTIONS);
}

/* While somebody keeps its request its end would be a surprise for them. */
static bool may_end(const struct connection *c)
{
	return !c->dropped && (!c->asked || c->ended);
}

/* Idle ones first, then the oldest of those whose answer goes on for ever. */
static struct connection *least_needed(const struct connections *cs, uid_t uid)
{
	struct connection *c, *found = NULL;

	TAILQ_FOREACH(c, &cs->list, entry) {
		if (c->uid != uid || !may_end(c))
			continue;
		if (!c->asked)
			return c;
		if (!found)
			found = c;
	}
	return found;
}

/*
 * Where all is taken, whoever has less than the one who has most gets one of theirs: so two users
 * with all they may have do not shut out a third.  Each one taken brings them nearer to each other,
 * so that it ends.
 */
static bool take_from_who_has_most(struct connections *cs, uid_t uid)
{
	uint64_t most = connections_of(cs, uid) + 1;
	struct connection *c, *victim = NULL;
	uid_t richest = uid;

	TAILQ_FOREACH(c, &cs->list, entry) {
		if (quota_exempts(c->uid, geteuid()) || connections_of(cs, c->uid) <= most)
			continue;
		most = connections_of(cs, c->uid);
		richest = c->uid;
	}
	if (richest != uid)
		victim = least_needed(cs, richest);
	if (!victim)
		return false;
	log_info("a connection of uid %u was ended for one of uid %u: all are taken", richest, uid);
	evhttp_connection_free(victim->http);
	return true;
}

static int charge(struct connections *cs, uid_t uid)
{
	int r = quota_charge(cs->server->config.quota, uid, QUOTA_CONNECTIONS, 1);

	if (r == QUOTA_OVER_MACHINE && take_from_who_has_most(cs, uid))
		r = quota_charge(cs->server->config.quota, uid, QUOTA_CONNECTIONS, 1);
	return r;
}

static int admit(struct connections *cs, struct evhttp_connection *http, int fd, uid_t uid)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(http);
	struct connection *c = calloc(1, sizeof(*c));

	if (!c || !make_room(cs, fd)) {
		free(c);
		return -ENOMEM;
	}
	*c = (struct connection){
		.all = cs, .http = http, .fd = fd, .uid = uid, .user = PROCESS_UID_UNKNOWN
	};
	c->output = bufferevent_get_output(bev);
	c->deadline = evtimer_new(cs->server->config.loop, on_deadline, c);
	if (!c->deadline || !evbuffer_add_cb(c->output, on_output, c)) {
		if (c->deadline)
			event_free(c->deadline);
		free(c);
		return -ENOMEM;
	}
	cs->by_fd[fd] = c;
	TAILQ_INSERT_TAIL(&cs->list, c, entry);
	evhttp_connection_set_closecb(http, on_end, c);
	start_deadline(c);
	return 0;
}

static void judge(struct connections *cs, struct bufferevent *bev)
{
	struct evhttp_connection *http;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = bufferevent_getfd(bev), r;

	/* evhttp gives its connection to its callbacks; both are gone where it gave up on it */
	bufferevent_getcb(bev, NULL, NULL, NULL, (void **)&http);
	if (!http)
		return;
	r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) ? -errno : 0;
	if (!r)
		r = reserve_is_there() ? charge(cs, peer.uid) : -ENOMEM;
	if (!r) {
		r = admit(cs, http, fd, peer.uid);
		if (r)
			quota_give_back(cs->server->config.quota, peer.uid, QUOTA_CONNECTIONS, 1);
	}
	if (!r)
		return;
	cs->server->metrics.refused_connections++;
	refuse(cs->server->config.quota, fd, r);
	evhttp_connection_free(http);
}

static void on_accepted(evutil_socket_t unused, short what, void *user_data)
{
	struct connections *cs = user_data;
	bool all = cs->n_fresh == cs->per_turn;

	for (size_t i = 0; i < cs->n_fresh; i++) {
		judge(cs, cs->fresh[i]);
		bufferevent_decref(cs->fresh[i]);
	}
	cs->n_fresh = 0;
	if (all)
		evconnlistener_enable(cs->listener);
}

static struct bufferevent *new_bufferevent(struct event_base *loop, void *user_data)
{
	struct connections *cs = user_data;
	/* as evhttp makes its own: it closes the descriptor itself */
	struct bufferevent *bev = bufferevent_socket_new(loop, -1, 0);

	/* evhttp then makes one that nobody admits: its first request ends it */
	if (!bev)
		return NULL;
	bufferevent_incref(bev);
	cs->fresh[cs->n_fresh++] = bev;
	cs->server->metrics.connections++;
	event_active(cs->judge, EV_TIMEOUT, 0);
	if (cs->n_fresh == cs->per_turn)
		evconnlistener_disable(cs->listener);
	return bev;
}

/* --- the listener --- */

static void on_accept_again(evutil_socket_t fd, short what, void *user_data)
{
	struct connections *cs = user_data;

	evconnlistener_enable(cs->listener);
}

/* The callback's argument is evhttp's, which has no way back to us: the one server of a process. */
static struct connections *accepting;

static void on_accept_error(struct evconnlistener *listener, void *evhttp)
{
	static const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };

	log_warning("a client was not accepted: %s", strerror(errno));
	evconnlistener_disable(listener);
	event_add(accepting->accept_again, &pause);
}

static void remember_socket_path(struct server *server, int fd)
{
	struct sockaddr_un name = { 0 };
	socklen_t size = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &size) || name.sun_family != AF_UNIX)
		return;
	snprintf(server->socket_path, sizeof(server->socket_path), "%.*s",
		 (int)sizeof(name.sun_path), name.sun_path);
}

int connections_listen(struct connections *cs, int listen_fd)
{
	_cleanup_close_ int fd = listen_fd;
	struct server *server = cs->server;

	remember_socket_path(server, fd);
	if (evutil_make_socket_nonblocking(fd) || listen(fd, LISTEN_BACKLOG))
		return -errno;
	cs->listener = evconnlistener_new(server->config.loop, NULL, NULL,
					  LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!cs->listener)
		return -ENOMEM;
	TAKE_FD(fd);
	if (!evhttp_bind_listener(server->http, cs->listener)) {
		evconnlistener_free(cs->listener);
		return -ENOMEM;
	}
	accepting = cs;
	evconnlistener_set_error_cb(cs->listener, on_accept_error);
	return 0;
}

/* --- lifecycle --- */

int connections_new(struct server *server, struct connections **ret)
{
	size_t quarter = quota_limit_of(server->config.quota, QUOTA_CONNECTIONS)->machine / 4;
	struct connections *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return -ENOMEM;
	cs->server = server;
	cs->per_turn = quarter < CONNECTIONS_PER_TURN ? quarter : CONNECTIONS_PER_TURN;
	TAILQ_INIT(&cs->list);
	cs->judge = event_new(server->config.loop, -1, 0, on_accepted, cs);
	cs->accept_again = evtimer_new(server->config.loop, on_accept_again, cs);
	if (!cs->judge || !cs->accept_again || event_priority_set(cs->judge, 0)) {
		connections_free(cs);
		return -ENOMEM;
	}
	evhttp_set_bevcb(server->http, new_bufferevent, cs);
	*ret = cs;
	return 0;
}

void connections_free(struct connections *cs)
{
	if (!cs)
		return;
	if (accepting == cs)
		accepting = NULL;
	for (size_t i = 0; i < cs->n_fresh; i++)
		bufferevent_decref(cs->fresh[i]);
	if (cs->judge)
		event_free(cs->judge);
	if (cs->accept_again)
		event_free(cs->accept_again);
	free(cs->by_fd);
	free(cs);
}
