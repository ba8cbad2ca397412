/* SPDX-License-Identifier: MIT */
#include "daemon/wall_clock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* The timer is there to be cancelled; it has to be set for some moment. */
#define FAR_S (10LL * 365 * 24 * 3600)

struct wall_clock {
	int fd;
	struct event *readable;
	void (*changed)(void *user_data);
	void *user_data;
};

DEFINE_CLEANUP(struct wall_clock *, wall_clock_free);

/* 0, negative errno. */
static int arm(const struct wall_clock *w)
{
	const struct itimerspec far = { .it_value.tv_sec = time(NULL) + FAR_S };
	int r = timerfd_settime(w->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);

	/* ECANCELED: the clock has changed once more, and the timer is set all the same */
	return r < 0 && errno != ECANCELED ? -errno : 0;
}

static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	struct wall_clock *w = user_data;
	uint64_t times;
	int r;

	if (read(fd, &times, sizeof(times)) < 0 && errno != ECANCELED)
		return;
	r = arm(w);
	if (r)
		log_error("the wall clock is not watched any more: %s", strerror(-r));
	w->changed(w->user_data);
}

int wall_clock_new(struct event_base *loop, void (*changed)(void *user_data), void *user_data,
		   struct wall_clock **ret)
{
	_cleanup_(wall_clock_freep) struct wall_clock *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->changed = changed;
	w->user_data = user_data;
	w->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	r = arm(w);
	if (r)
		return r;
	w->readable = event_new(loop, w->fd, EV_READ | EV_PERSIST, on_readable, w);
	if (!w->readable || event_add(w->readable, NULL))
		return -ENOMEM;
	*ret = TAKE_PTR(w);
	return 0;
}

void wall_clock_free(struct wall_clock *w)
{
	if (!w)
		return;
	if (w->readable)
		event_free(w->readable);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}
