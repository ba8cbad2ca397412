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

/* In a child: another socket must be refused the port that it will tell of. */
static inline void find_it_taken(struct told *told, int type)
{
	told->error = told->error
			      ?: refused_with(bind_to(socket(AF_INET, type, 0), told->port),
					      EADDRINUSE);
}

static inline void run_refused(struct told *told)
{
	open_listener(0, told);
	find_it_taken(told, SOCK_STREAM);
}

/* The refusal of a child that is started; `ret` may be NULL. */
static inline const struct event *refusal_of(struct watcher *w, void (*run)(struct told *told),
					     struct child *ret)
{
	struct child child = start_and_hear_well(run);

	if (ret)
		*ret = child;
	return await_event(w, EVENT_FAIL, child.pid);
}

#endif
