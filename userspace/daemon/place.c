/* SPDX-License-Identifier: MIT */
#include "daemon/place.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"

/*
 * The lock file and the socket are watched themselves and not the directories that they lie in:
 * those may be as busy as /tmp.  Both are open, so their removal is a change of their link count,
 * which is IN_ATTRIB.  A directory cannot be removed before they are, only renamed.
 */
#define FILE_EVENTS (IN_ATTRIB | IN_MOVE_SELF)
#define DIRECTORY_EVENTS                                                         \
	(IN_MOVE_SELF | IN_DELETE_SELF) /* deleted: a symbolic link in its place \
					 */
/* Linux tells of a removal before the name is gone: one look may come too early. */
#define LOOK_AGAIN_MS 100

struct place {
	const struct state *state;
	place_lost lost;
	void *user_data;
	int fd;
	struct event *readable, *again;
};

static bool is_lost(struct place *p)
{
	char why[STATE_ERROR_SIZE];

	if (!state_check(p->state, why))
		return false;
	event_del(p->readable);
	event_del(p->again);
	p->lost(why, p->user_data);
	return true;
}

static void on_again(evutil_socket_t fd, short what, void *user_data)
{
	is_lost(user_data);
}

/* Each event means the same: look.  Its content is thrown away. */
static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	static const struct timeval wait = { .tv_usec = LOOK_AGAIN_MS * 1000 };
	_Alignas(struct inotify_event) char events[4096];
	struct place *p = user_data;

	while (read(p->fd, events, sizeof(events)) > 0)
		;
	if (!is_lost(p))
		event_add(p->again, &wait);
}

/* Added to what the same file is watched for already: two paths may have a directory in common. */
static int watch(struct place *p, const char *path, uint32_t events)
{
	return inotify_add_watch(p->fd, path, events | IN_DONT_FOLLOW | IN_MASK_ADD) < 0 ? -errno
											 : 0;
}

/*
 * The file and every directory above it.  A directory that our user may not read cannot be watched:
 * when that one is renamed, the daemon is not told.
 */
static int watch_path(struct place *p, const char *path)
{
	char above[PATH_MAX];
	int r = watch(p, path, FILE_EVENTS);

	snprintf(above, sizeof(above), "%s", path);
	for (char *slash = strrchr(above, '/'); !r && slash && slash != above;
	     slash = strrchr(above, '/')) {
		*slash = '\0';
		r = watch(p, above, DIRECTORY_EVENTS);
		if (r == -EACCES)
			r = 0;
	}
	return r;
}

/* By the path as it was given, and by where its symbolic links lead. */
static int watch_both(struct place *p, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	int r = real ? watch_path(p, path) : -errno;

	return r ? r : watch_path(p, real);
}

int place_new(struct event_base *loop, const struct state *s, place_lost lost, void *user_data,
	      struct place **ret)
{
	struct place *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct place){ .state = s, .lost = lost, .user_data = user_data };
	p->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	r = p->fd < 0 ? -errno : watch_both(p, s->lock);
	r = r ?: watch_both(p, s->socket);
	/* a file that is gone by now is found out below, by the first look */
	if (!r || r == -ENOENT) {
		p->readable = event_new(loop, p->fd, EV_READ | EV_PERSIST, on_readable, p);
		p->again = evtimer_new(loop, on_again, p);
		r = p->readable && p->again && !event_add(p->readable, NULL) ? 0 : -ENOMEM;
	}
	if (r) {
		place_free(p);
		return r;
	}
	event_active(p->readable, EV_READ, 0);
	*ret = p;
	return 0;
}

void place_free(struct place *p)
{
	if (!p)
		return;
	if (p->readable)
		event_free(p->readable);
	if (p->again)
		event_free(p->again);
	closep(&p->fd);
	free(p);
}
