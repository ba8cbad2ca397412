/* SPDX-License-Identifier: MIT */
#include "daemon/backup.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "registry/registry.h"

#define FIRST_MS 2000 /* after the start: others are answered first */

struct backup {
	struct registry *registry;
	struct event *timer;
};

DEFINE_CLEANUP(struct backup *, backup_free);

static int schedule(struct backup *b, int ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return event_add(b->timer, &wait) ? -ENOMEM : 0;
}

static void on_timer(evutil_socket_t fd, short what, void *user_data)
{
	struct backup *b = user_data;

	schedule(b, registry_backup_step(b->registry));
}

int backup_new(struct event_base *loop, struct registry *registry, struct backup **ret)
{
	_cleanup_(backup_freep) struct backup *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->registry = registry;
	b->timer = evtimer_new(loop, on_timer, b);
	if (!b->timer || event_priority_set(b->timer, event_base_get_npriorities(loop) - 1) ||
	    schedule(b, FIRST_MS))
		return -ENOMEM;
	*ret = TAKE_PTR(b);
	return 0;
}

void backup_free(struct backup *b)
{
	if (!b)
		return;
	if (b->timer)
		event_free(b->timer);
	free(b);
}
