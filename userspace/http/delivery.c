/* SPDX-License-Identifier: MIT */
#include "http/delivery.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

struct delivery {
	LIST_ENTRY(delivery) entry;
	struct deliveries *all;
	int fd;
	struct event *readable;
	delivery_end end;
	void *user_data;
};

struct deliveries {
	struct event_base *loop;
	LIST_HEAD(, delivery) list;
	size_t n;
};

int deliveries_new(struct event_base *loop, struct deliveries **ret)
{
	struct deliveries *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->loop = loop;
	LIST_INIT(&d->list);
	*ret = d;
	return 0;
}

static void finish(struct delivery *v, bool taken)
{
	struct delivery done = *v;

	LIST_REMOVE(v, entry);
	v->all->n--;
	if (v->readable)
		event_free(v->readable);
	close(v->fd);
	free(v);
	done.end(taken, done.user_data);
}

void deliveries_free(struct deliveries *d)
{
	if (!d)
		return;
	while (!LIST_EMPTY(&d->list))
		finish(LIST_FIRST(&d->list), true);
	free(d);
}

static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	char stray;
	/* bytes behind its request come from a client that is well */
	bool was_reset = !(what & EV_TIMEOUT) && recv(fd, &stray, 1, MSG_DONTWAIT) < 0 &&
			 errno == ECONNRESET;

	finish(user_data, !was_reset);
}

static bool has_left(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
}

/*
 * What evhttp would write in the loop's next turn, written now: a client that is gone by then and
 * one that has read everything would look the same.  False when nobody is there to read it.
 */
static bool push(struct bufferevent *bev)
{
	struct evbuffer *output = bufferevent_get_output(bev);
	int fd = bufferevent_getfd(bev);
	int written = 0;

	if (has_left(fd))
		return false;
	/* the bufferevent keeps the front of its output for its own writing */
	if (evbuffer_get_length(output) && !evbuffer_unfreeze(output, 1)) {
		written = evbuffer_write(output, fd);
		evbuffer_freeze(output, 1);
	}
	return written >= 0 || errno == EAGAIN;
}

static int watch(struct deliveries *d, int fd, delivery_end end, void *user_data)
{
	static const struct timeval wait = { .tv_sec = DELIVERY_WAIT_S };
	struct delivery *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->all = d;
	v->end = end;
	v->user_data = user_data;
	v->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (v->fd >= 0)
		v->readable = event_new(d->loop, v->fd, EV_READ, on_readable, v);
	if (!v->readable || event_add(v->readable, &wait)) {
		if (v->readable)
			event_free(v->readable);
		closep(&v->fd);
		free(v);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&d->list, v, entry);
	d->n++;
	return 0;
}

void delivery_watch(struct deliveries *d, struct evhttp_connection *connection, bool once_closed,
		    delivery_end end, void *user_data)
{
	struct bufferevent *bev = connection ? evhttp_connection_get_bufferevent(connection) : NULL;

	if (!bev || !push(bev)) {
		end(false, user_data);
		return;
	}
	if (!once_closed || d->n == DELIVERIES_MAX) {
		end(true, user_data);
		return;
	}
	/*
	 * evhttp reads on to learn of the end, which would take the error off the socket; and epoll
	 * keeps what is registered for a descriptor that is closed while a duplicate is open.
	 */
	bufferevent_disable(bev, EV_READ);
	if (watch(d, bufferevent_getfd(bev), end, user_data))
		end(true, user_data);
}
