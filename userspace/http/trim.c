/* SPDX-License-Identifier: MIT */
#include "http/trim.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>

/* Long enough for any client of this machine to have read its answer. */
#define SOON_S 1
/* Some milliseconds where there is much to look through: a thousandth of the time. */
#define LATER_S 5

struct trim {
	struct event *soon, *later;
	trim_owner give_back;
	void *user_data;
};

static void on_timer(evutil_socket_t fd, short what, void *user_data)
{
	struct trim *t = user_data;

	if (t->give_back)
		t->give_back(t->user_data);
	malloc_trim(0);
}

int trim_new(struct event_base *loop, trim_owner give_back, void *user_data, struct trim **ret)
{
	struct trim *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*t = (struct trim){ .give_back = give_back, .user_data = user_data };
	t->soon = evtimer_new(loop, on_timer, t);
	t->later = evtimer_new(loop, on_timer, t);
	if (!t->soon || !t->later) {
		trim_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void trim_free(struct trim *t)
{
	if (!t)
		return;
	if (t->soon)
		event_free(t->soon);
	if (t->later)
		event_free(t->later);
	free(t);
}

/* Not put off again and again by whoever goes on. */
static void set(struct event *timer, int seconds)
{
	const struct timeval wait = { .tv_sec = seconds };

	if (!event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &wait);
}

void trim_soon(struct trim *t)
{
	set(t->soon, SOON_S);
}

void trim_later(struct trim *t)
{
	set(t->later, LATER_S);
}
