/* SPDX-License-Identifier: MIT */
#include "http/trim.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>

/* Long enough for any client of this machine to have read its answer. */
#define TRIM_AFTER_S 1

struct trim {
	struct event *timer;
};

static void on_timer(evutil_socket_t fd, short what, void *user_data)
{
	malloc_trim(0);
}

int trim_new(struct event_base *loop, struct trim **ret)
{
	struct trim *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->timer = evtimer_new(loop, on_timer, NULL);
	if (!t->timer) {
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void trim_free(struct trim *t)
{
	if (!t)
		return;
	event_free(t->timer);
	free(t);
}

void trim_soon(struct trim *t)
{
	static const struct timeval wait = { .tv_sec = TRIM_AFTER_S };

	/* not put off again and again by whoever goes on */
	if (!event_pending(t->timer, EV_TIMEOUT, NULL))
		event_add(t->timer, &wait);
}
