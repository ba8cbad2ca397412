/* SPDX-License-Identifier: MIT */
#include "api/process_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procfs.h"

struct process_watch {
	struct process_watcher *watcher;
	struct process_watch *next, *previous;
	struct process_id id;
	int fd; /* -1: looked at by the timer */
	struct event *readable;
	bool told;
	process_gone gone;
	void *user_data;
};

struct process_watcher {
	struct event_base *loop;
	struct event *poll;
	struct process_watch *watches;
	size_t n_fds, n_polled;
};

static void schedule_poll(struct process_watcher *w)
{
	static const struct timeval wait = { .tv_sec = PROCESS_WATCH_POLL_MS / 1000,
					     .tv_usec = PROCESS_WATCH_POLL_MS % 1000 * 1000 };

	if (w->n_polled && !event_pending(w->poll, EV_TIMEOUT, NULL))
		event_add(w->poll, &wait);
}

static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	struct process_watch *watch = user_data;
	struct process_id id = watch->id; /* what is told may free the watch */

	watch->told = true;
	watch->gone(&id, watch->user_data);
}

static struct process_watch *find_gone(struct process_watcher *w)
{
	for (struct process_watch *watch = w->watches; watch; watch = watch->next)
		if (watch->fd < 0 && !watch->told && !procfs_alive(&watch->id))
			return watch;
	return NULL;
}

/* From the front again after each: what is told may free any watch. */
static void on_poll(evutil_socket_t fd, short what, void *user_data)
{
	struct process_watcher *w = user_data;
	struct process_watch *watch;

	while ((watch = find_gone(w)))
		on_readable(-1, 0, watch);
	schedule_poll(w);
}

int process_watcher_new(struct event_base *loop, struct process_watcher **ret)
{
	struct process_watcher *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->poll = evtimer_new(loop, on_poll, w);
	if (!w->poll) {
		free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

void process_watcher_free(struct process_watcher *w)
{
	if (!w)
		return;
	while (w->watches)
		process_watch_free(w->watches);
	event_free(w->poll);
	free(w);
}

/* -1 where it cannot be had: the timer looks instead. */
static int open_pidfd(const struct process_watcher *w, pid_t pid)
{
	/* the kernel sets close-on-exec on its own */
	return w->n_fds < PROCESS_WATCH_FDS_MAX ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

static void link_watch(struct process_watcher *w, struct process_watch *watch)
{
	watch->watcher = w;
	watch->next = w->watches;
	if (watch->next)
		watch->next->previous = watch;
	w->watches = watch;
	if (watch->fd >= 0)
		w->n_fds++;
	else
		w->n_polled++;
	schedule_poll(w);
}

int process_watch_new(struct process_watcher *w, const struct process_id *id, process_gone gone,
		      void *user_data, struct process_watch **ret)
{
	_cleanup_close_ int fd = open_pidfd(w, id->pid);
	_cleanup_free_ struct process_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	/* after the opening: the pid was this process's at some moment in between or later */
	if (!procfs_alive(id))
		return -ESRCH;
	*watch =
		(struct process_watch){ .id = *id, .fd = -1, .gone = gone, .user_data = user_data };
	if (fd >= 0) {
		watch->readable = event_new(w->loop, fd, EV_READ, on_readable, watch);
		if (!watch->readable || event_add(watch->readable, NULL)) {
			if (watch->readable)
				event_free(watch->readable);
			return -ENOMEM;
		}
		watch->fd = TAKE_FD(fd);
	}
	*ret = watch;
	link_watch(w, TAKE_PTR(watch));
	return 0;
}

void process_watch_free(struct process_watch *watch)
{
	struct process_watcher *w;

	if (!watch)
		return;
	w = watch->watcher;
	if (watch->next)
		watch->next->previous = watch->previous;
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		w->watches = watch->next;
	if (watch->readable)
		event_free(watch->readable);
	if (watch->fd >= 0) {
		close(watch->fd);
		w->n_fds--;
	} else {
		w->n_polled--;
	}
	free(watch);
}
