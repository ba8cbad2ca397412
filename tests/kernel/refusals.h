/* SPDX-License-Identifier: MIT */
/* Children that are refused a bind or a listen, and the event that tells of it. */
#ifndef KERNEL_REFUSALS_H
#define KERNEL_REFUSALS_H

#include "kernel/actors.h"

/* The child's verdict on a call that had to be refused with this errno. */
static inline int refused_with(int result, int error)
{
	return result == -error ? 0 : result ?: -ENOTRECOVERABLE;
}

static inline const struct bind_owner *owner_of(const struct event *e, uint64_t cookie)
{
	for (int i = 0; i < e->n_owners; i++)
		if (e->owners[i].cookie == cookie)
			return &e->owners[i];
	return NULL;
}

static inline void assert_listens(const struct event *e, uint64_t cookie)
{
	const struct bind_owner *owner = owner_of(e, cookie);

	assert_non_null(owner);
	assert_int_equal(owner->state, SOCKET_LISTEN);
}

/* Runs a child to where it told, and gives its refusal. */
static inline const struct event *refusal_of(struct watcher *w, struct child *child,
					     struct told *ret)
{
	*ret = hear_well(child);
	return await_event(w, EVENT_FAIL, child->pid);
}

#endif
