/* SPDX-License-Identifier: MIT */
#include "sentinel/tracepoints.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sentinel/bpf_load.h"

static const char *const names[_TRACEPOINT_MAX] = {
	[TRACEPOINT_ENTER_BIND] = "sys_enter_bind",
	[TRACEPOINT_EXIT_BIND] = "sys_exit_bind",
	[TRACEPOINT_ENTER_LISTEN] = "sys_enter_listen",
	[TRACEPOINT_EXIT_LISTEN] = "sys_exit_listen",
};

static int read_id(const char *name, uint64_t *ret)
{
	char path[128], text[24];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/events/syscalls/%s/id", bpf_load_tracefs(), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	*ret = strtoull(text, NULL, 10);
	return *ret ? 0 : -EINVAL;
}

/* Of every process: a program on such an event runs for all, on whatever CPU. */
static int open_event(const char *name)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	uint64_t id = 0;
	int r = read_id(name, &id), fd;

	if (r < 0)
		return r;
	attr.config = id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void *open_all(void *tracepoints)
{
	struct tracepoints *t = tracepoints;

	for (int i = TRACEPOINT_NONE + 1; i < _TRACEPOINT_MAX; i++)
		t->fds[i] = open_event(names[i]);
	return NULL;
}

void tracepoints_start_opening(struct tracepoints *t, bool wanted)
{
	*t = (struct tracepoints){ .tracefs = wanted ? bpf_load_mount_tracefs() : 0 };
	for (int i = 0; i < _TRACEPOINT_MAX; i++)
		t->fds[i] = -ENOENT;
	if (!wanted)
		return;
	t->is_opening = pthread_create(&t->thread, NULL, open_all, t) == 0;
	if (!t->is_opening)
		open_all(t);
}

void tracepoints_await(struct tracepoints *t)
{
	if (t->is_opening)
		pthread_join(t->thread, NULL);
	t->is_opening = false;
}

int tracepoints_take(struct tracepoints *t, enum tracepoint which)
{
	int fd = t->fds[which];

	t->fds[which] = -ENOENT;
	return fd;
}

void tracepoints_close(struct tracepoints *t)
{
	tracepoints_await(t);
	for (int i = 0; i < _TRACEPOINT_MAX; i++)
		closep(&t->fds[i]);
}
