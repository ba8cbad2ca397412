/* SPDX-License-Identifier: MIT */
#include "coordination/process_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/quota.h"

struct process_watch {
	struct process_watcher *watcher;
	struct process_watch *next, *previous;
	struct process_id id;
	uid_t uid; /* whose descriptor it is */
	int fd;	   /* -1: looked at by the timer */
	struct event *readable;
	bool reported;
	process_gone gone;
	void *user_data;
};

struct process_watcher {
	struct event_base *loop;
	struct quota *quota;
	struct event *poll;
	struct process_watch *watches;
	struct process_watch *at; /* of a look that goes on: what comes next; NULL = none does */
	size_t n_polled;
	struct timeval turn; /* the loop's time of the turn that n_told is of */
	unsigned n_told;
};

static void schedule_poll(struct process_watcher *w)
{
	static const struct timeval wait = { .tv_sec = PROCESS_WATCH_POLL_MS / 1000,
					     .tv_usec = PROCESS_WATCH_POLL_MS % 1000 * 1000 };

	if (w->n_polled && !event_pending(w->poll, EV_TIMEOUT, NULL))
		event_add(w->poll, &wait);
}

/* The loop reads the clock once in each turn. */
static bool may_tell(struct process_watcher *w)
{
	struct timeval now;

	if (event_base_gettimeofday_cached(w->loop, &now) || evutil_timercmp(&now, &w->turn, !=)) {
		w->turn = now;
		w->n_told = 0;
	}
	return w->n_told < PROCESS_WATCH_TOLD_AT_ONCE;
}

static void tell(struct process_watch *watch)
{
	struct process_id id = watch->id; /* whoever hears of it may free the watch */

	watch->reported = true;
	watch->watcher->n_told++;
	watch->gone(&id, watch->user_data);
}

static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	struct process_watch *watch = user_data;

	if (may_tell(watch->watcher))
		tell(watch);
	else
		event_add(watch->readable, NULL); /* it stays readable */
}

static bool has_ended_unseen(const struct process_watch *watch)
{
	return watch->fd < 0 && !watch->reported && !procfs_alive(&watch->id);
}

/* Whoever hears of it may free any watch, also the one that comes next. */
static void on_poll(evutil_socket_t fd, short what, void *user_data)
{
	static const struct timeval at_once;
	struct process_watcher *w = user_data;
	struct process_watch *watch;

	if (!w->at)
		w->at = w->watches;
	while ((watch = w->at) && may_tell(w)) {
		w->at = watch->next;
		if (has_ended_unseen(watch))
			tell(watch);
	}
	if (w->at)
		event_add(w->poll, &at_once);
	else
		schedule_poll(w);
}

int process_watcher_new(struct event_base *loop, struct quota *quota, struct process_watcher **ret)
{
	struct process_watcher *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->quota = quota;
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
static int open_pidfd(const struct process_watcher *w, pid_t pid, uid_t uid)
{
	int fd;

	if (quota_charge(w->quota, uid, QUOTA_PROCESS_FDS, 1))
		return -1;
	/* the kernel sets close-on-exec on its own */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		quota_give_back(w->quota, uid, QUOTA_PROCESS_FDS, 1);
	return fd;
}

static void close_pidfd(const struct process_watcher *w, int fd, uid_t uid)
{
	if (fd < 0)
		return;
	close(fd);
	quota_give_back(w->quota, uid, QUOTA_PROCESS_FDS, 1);
}

static void link_watch(struct process_watcher *w, struct process_watch *watch)
{
	watch->watcher = w;
	watch->next = w->watches;
	if (watch->next)
		watch->next->previous = watch;
	w->watches = watch;
	if (watch->fd < 0)
		w->n_polled++;
	schedule_poll(w);
}

/* 0, -ESRCH, -ENOMEM. */
static int begin(struct process_watcher *w, struct process_watch *watch)
{
	/* after the opening: the pid was this process's at some moment in between or later */
	if (!procfs_alive(&watch->id))
		return -ESRCH;
	if (watch->fd < 0)
		return 0;
	watch->readable = event_new(w->loop, watch->fd, EV_READ, on_readable, watch);
	return watch->readable && !event_add(watch->readable, NULL) ? 0 : -ENOMEM;
}

int process_watch_new(struct process_watcher *w, const struct process_id *id, uid_t uid,
		      process_gone gone, void *user_data, struct process_watch **ret)
{
	struct process_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = (struct process_watch){
		.id = *id,
		.uid = uid,
		.fd = open_pidfd(w, id->pid, uid),
		.gone = gone,
		.user_data = user_data,
	};
	link_watch(w, watch);
	r = begin(w, watch);
	if (r) {
		process_watch_free(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void process_watch_free(struct process_watch *watch)
{
	struct process_watcher *w;

	if (!watch)
		return;
	w = watch->watcher;
	if (w->at == watch)
		w->at = watch->next;
	if (watch->next)
		watch->next->previous = watch->previous;
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		w->watches = watch->next;
	if (watch->readable)
		event_free(watch->readable);
	w->n_polled -= watch->fd < 0;
	close_pidfd(w, watch->fd, watch->uid);
	free(watch);
}
