/* SPDX-License-Identifier: MIT */
#include "coordination/session_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/procfs.h"
#include "coordination/process_watch.h"
#include "registry/sessions.h"
#include "tracker/activity.h"

#define TERMINALS "/dev/pts"
/*
 * The name goes before the kernel hangs the terminal up and the shell dies of it: so a moment later
 * (a hangup takes microseconds) it is asked whether the process lives on without it.
 */
#define TERMINAL_SETTLE_MS 20
#define DETAILS_SIZE	   96
#define RELOAD_S	   10 /* after a failed commit: a full disk stays full for a while */

struct watched {
	TAILQ_ENTRY(watched) entry;
	struct session_watches *owner;
	char id[SESSION_ID_MAX + 1];
	uid_t uid;
	struct process_id process;
	char tty[PROCFS_TTY_SIZE];
	char comm[PROCESS_COMM_SIZE];
	struct process_watch *watch; /* NULL: not begun, or it was gone at once */
};

struct session_watches {
	struct coordination c;
	TAILQ_HEAD(, watched) list;
	int inotify_fd; /* -1: terminals are not watched */
	struct event *terminals, *settled, *reload;
};

static void drop(struct watched *s)
{
	TAILQ_REMOVE(&s->owner->list, s, entry);
	process_watch_free(s->watch);
	free(s);
}

static void drop_all(struct session_watches *w)
{
	while (!TAILQ_EMPTY(&w->list))
		drop(TAILQ_FIRST(&w->list));
}

/* --- stalling --- */

/* 0, OUTCOME_NO when somebody ended it meanwhile, negative errno. */
static int write_stalled(const struct coordination *c, const struct watched *s, const char *details)
{
	int64_t now = time(NULL);
	int r = registry_begin(c->registry);

	r = r ?: registry_session_stall(c->registry, s->id, now);
	activity_commit_due(c->activity, true);
	if (r)
		return r;
	return activity_write(c->activity, &(struct activity){ .action = ACTIVITY_SESSION,
							       .service = s->id,
							       .details = details,
							       .timestamp = now,
							       .pid = s->process.pid,
							       .uid = s->uid,
							       .comm = s->comm });
}

/* Ends the watch as well. */
static void stall(struct watched *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void stall(struct watched *s, const char *format, ...)
{
	char details[DETAILS_SIZE];
	va_list args;
	int r;

	va_start(args, format);
	vsnprintf(details, sizeof(details), format, args);
	va_end(args);
	r = write_stalled(&s->owner->c, s, details);
	if (r < 0) {
		log_error("%s was not marked as stalled yet: %s", s->id,
			  registry_strerror(s->owner->c.registry, r));
		session_watches_reload_later(s->owner);
	}
	drop(s);
}

static void on_process_gone(const struct process_id *id, void *user_data)
{
	stall(user_data, "stalled: its shell %d is gone", id->pid);
}

static bool lost_its_terminal(const struct watched *s)
{
	char tty[PROCFS_TTY_SIZE];

	return *s->tty && procfs_tty(&s->process, tty, sizeof(tty)) == 0 &&
	       strcmp(tty, s->tty) != 0;
}

static void on_reload(evutil_socket_t fd, short what, void *user_data)
{
	session_watches_reload(user_data);
}

void session_watches_reload_later(struct session_watches *w)
{
	static const struct timeval wait = { .tv_sec = RELOAD_S };

	if (!event_pending(w->reload, EV_TIMEOUT, NULL))
		event_add(w->reload, &wait);
}

static void on_settled(evutil_socket_t fd, short what, void *user_data)
{
	struct session_watches *w = user_data;
	struct watched *s, *next;

	for (s = TAILQ_FIRST(&w->list); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (lost_its_terminal(s))
			stall(s, "stalled: its terminal %s is gone", s->tty);
	}
}

/* Which terminal went does not matter: all that is watched is asked. */
static void on_terminals(evutil_socket_t fd, short what, void *user_data)
{
	static const struct timeval wait = { .tv_usec = TERMINAL_SETTLE_MS * 1000 };
	struct session_watches *w = user_data;
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(fd, events, sizeof(events)) > 0)
		continue;
	event_add(w->settled, &wait);
}

/* --- watching --- */

static struct watched *find(struct session_watches *w, const char *id)
{
	struct watched *s;

	TAILQ_FOREACH(s, &w->list, entry)
		if (strcmp(s->id, id) == 0)
			return s;
	return NULL;
}

static void describe(struct watched *s)
{
	struct process p;

	if (procfs_describe(s->process.pid, &p) == 0 && process_id_equal(&p.id, &s->process))
		memcpy(s->comm, p.comm, sizeof(s->comm));
}

static struct watched *add(struct session_watches *w, const char *id, uid_t uid,
			   const struct process_id *process, const char *tty)
{
	struct watched *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->owner = w;
	s->uid = uid;
	s->process = *process;
	snprintf(s->id, sizeof(s->id), "%s", id);
	snprintf(s->tty, sizeof(s->tty), "%s", tty);
	describe(s);
	TAILQ_INSERT_TAIL(&w->list, s, entry);
	return s;
}

static int begin(struct watched *s)
{
	int r = process_watch_new(s->owner->c.processes, &s->process, s->uid, on_process_gone, s,
				  &s->watch);

	if (r == -ESRCH)
		stall(s, "stalled: its shell %d is gone", s->process.pid);
	else if (r)
		drop(s);
	return r == -ESRCH ? 0 : r;
}

int session_watch(struct session_watches *w, const char *id, uid_t uid,
		  const struct process_id *process, const char *tty)
{
	struct watched *s;

	session_unwatch(w, id);
	if (!process->pid) /* nobody to wait for: it is ended by hand */
		return 0;
	s = add(w, id, uid, process, tty);
	return s ? begin(s) : -ENOMEM;
}

void session_unwatch(struct session_watches *w, const char *id)
{
	struct watched *s = find(w, id);

	if (s)
		drop(s);
}

/* --- lifecycle --- */

/* Without /dev/pts (a bare container) a terminal's end is its shell's. */
static int watch_terminals(struct session_watches *w)
{
	w->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->inotify_fd < 0 || inotify_add_watch(w->inotify_fd, TERMINALS, IN_DELETE) < 0) {
		log_debug("terminals are not watched: %s", strerror(errno));
		return 0;
	}
	w->terminals = event_new(w->c.loop, w->inotify_fd, EV_READ | EV_PERSIST, on_terminals, w);
	return w->terminals && !event_add(w->terminals, NULL) ? 0 : -ENOMEM;
}

int session_watches_new(const struct coordination *c, struct session_watches **ret)
{
	struct session_watches *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->c = *c;
	TAILQ_INIT(&w->list);
	w->inotify_fd = -1;
	w->settled = evtimer_new(c->loop, on_settled, w);
	w->reload = evtimer_new(c->loop, on_reload, w);
	r = w->settled && w->reload ? watch_terminals(w) : -ENOMEM;
	if (r) {
		session_watches_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void session_watches_free(struct session_watches *w)
{
	if (!w)
		return;
	drop_all(w);
	if (w->terminals)
		event_free(w->terminals);
	if (w->settled)
		event_free(w->settled);
	if (w->reload)
		event_free(w->reload);
	closep(&w->inotify_fd);
	free(w);
}

/* --- what the registry has --- */

struct reload {
	struct session_watches *watches;
	bool no_memory;
};

/* Of an earlier boot no process lives: it gets a pid that none has. */
static struct process_id process_of(const struct session *s)
{
	return s->same_boot ? s->process : (struct process_id){ .pid = s->process.pid };
}

/* Begun later: to stall one is to write, which the registry's cursor does not allow. */
static bool add_stored(const struct session *s, void *user_data)
{
	struct reload *reload = user_data;
	struct process_id process = process_of(s);

	if (s->status != SESSION_ACTIVE || !s->process.pid)
		return true;
	reload->no_memory = !add(reload->watches, s->id, s->uid, &process, s->tty);
	return !reload->no_memory;
}

void session_watches_reload(struct session_watches *w)
{
	static const struct session_filter open = { .uid = PROCESS_UID_UNKNOWN, .open = true };
	struct reload reload = { .watches = w };
	struct watched *s, *next;
	int r;

	drop_all(w);
	r = registry_for_each_session(w->c.registry, &open, add_stored, &reload);
	if (!r && reload.no_memory)
		r = -ENOMEM;
	for (s = TAILQ_FIRST(&w->list); s; s = next) {
		int error;

		next = TAILQ_NEXT(s, entry);
		error = begin(s);
		r = r ? r : error;
	}
	if (r)
		log_error("not every session is watched: %s", registry_strerror(w->c.registry, r));
}
