/* SPDX-License-Identifier: MIT */
/* Hands every call to the rung that the sentinel stands on. */
#include "sentinel/sentinel.h"

#include <errno.h>

#include "sentinel/rung.h"

void sentinel_free(struct sentinel *s)
{
	if (s)
		s->ops->free(s);
}

const struct sentinel_report *sentinel_report(const struct sentinel *s)
{
	return &s->report;
}

struct sentinel_counters sentinel_counters(const struct sentinel *s)
{
	return s->ops->counters(s);
}

int sentinel_fd(const struct sentinel *s)
{
	return s->ops->fd(s);
}

int sentinel_dispatch(struct sentinel *s, const struct sentinel_slice *slice,
		      sentinel_handler handler, void *user_data, bool *ret_resync)
{
	static const struct sentinel_slice everything;

	return s->ops->dispatch(s, slice ? slice : &everything, handler, user_data, ret_resync);
}

int sentinel_open_holder_pass(struct sentinel *s)
{
	return s->ops->open_holder_pass ? s->ops->open_holder_pass(s) : -EOPNOTSUPP;
}

int sentinel_look(struct sentinel *s, struct abi_look *look)
{
	return s->ops->look ? s->ops->look(s, look) : -EOPNOTSUPP;
}

int sentinel_walk(struct sentinel *s, const struct abi_walk *asked,
		  const struct abi_walk_answer **ret)
{
	return s->ops->walk ? s->ops->walk(s, asked, ret) : -EOPNOTSUPP;
}

int sentinel_call_roll(struct sentinel *s, struct abi_hold *holds, size_t n)
{
	return s->ops->call_roll ? s->ops->call_roll(s, holds, n) : -EOPNOTSUPP;
}

int sentinel_open_grips(struct sentinel *s, unsigned pass, const uint64_t *files, size_t n)
{
	return s->ops->open_grips ? s->ops->open_grips(s, pass, files, n) : -EOPNOTSUPP;
}

int sentinel_track_socket(struct sentinel *s, uint64_t cookie)
{
	return s->ops->track_socket ? s->ops->track_socket(s, cookie) : 0;
}

int sentinel_track_process(struct sentinel *s, const struct process_id *id)
{
	return s->ops->track_process ? s->ops->track_process(s, id, true) : 0;
}

int sentinel_untrack_process(struct sentinel *s, const struct process_id *id)
{
	return s->ops->track_process ? s->ops->track_process(s, id, false) : 0;
}
