/* SPDX-License-Identifier: MIT */
/* Hands every call to the backend that was chosen. */
#include "sentinel/sentinel.h"

#include "sentinel/backend.h"
#include "sentinel/kernel_types.h"

void sentinel_keep_types_in(int directory)
{
	kernel_types_keep_in(directory);
}

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

const struct kernel_source *sentinel_kernel_source(const struct sentinel *s)
{
	return &s->kernel;
}
