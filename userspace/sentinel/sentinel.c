/* SPDX-License-Identifier: MIT */
/* Hands every call to the backend that was chosen. */
#include "sentinel/sentinel.h"

#include <string.h>

#include "base/cleanup.h"
#include "sentinel/backend.h"
#include "sentinel/kernel_types.h"

void sentinel_keep_types_in(int directory)
{
	kernel_types_keep_in(directory);
}

static const struct {
	const char *name, *unseen;
} traces[_SENTINEL_TRACE_MAX] = {
	[SENTINEL_TRACE_NONE] = { "none", "" },
	[SENTINEL_TRACE_AUTO] = { "auto", "" },
	[SENTINEL_TRACE_FEXIT] = { "fexit", "refused binds and listens of io_uring, and what a "
					    "seccomp filter refuses" },
	[SENTINEL_TRACE_SYSCALLS] = { "syscalls", "refused binds and listens of 32-bit programs "
						  "and of io_uring" },
	[SENTINEL_TRACE_HOOKS] = { "hooks", "refused binds and listens, and when a socket that was "
					    "never bound begins to listen" },
};

const char *sentinel_trace_name(enum sentinel_trace trace)
{
	return traces[trace].name;
}

bool sentinel_trace_parse(const char *name, enum sentinel_trace *ret)
{
	for (int i = SENTINEL_TRACE_AUTO; i < _SENTINEL_TRACE_MAX; i++) {
		if (strcmp(name, traces[i].name) != 0)
			continue;
		*ret = (enum sentinel_trace)i;
		return true;
	}
	return false;
}

const char *sentinel_trace_unseen(enum sentinel_trace trace)
{
	return traces[trace].unseen;
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
