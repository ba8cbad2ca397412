/* SPDX-License-Identifier: MIT */
#include "http/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Of the thread: SQLite and a few calls of the system. */
#define STACK_BYTES (512 * 1024)

enum state { IDLE, ASKED, MADE, ENDING };

struct worker {
	worker_call call;
	worker_done done;
	void *user_data;
	pthread_t thread;
	bool runs; /* the thread does */
	bool busy; /* for the loop */
	int fd;	   /* tells it of a result */
	struct event *readable;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	enum state state;
	int result;
};

static void set(struct worker *w, enum state state)
{
	w->state = state;
	pthread_cond_broadcast(&w->changed);
}

static void *run(void *user_data)
{
	struct worker *w = user_data;

	pthread_mutex_lock(&w->lock);
	while (w->state != ENDING) {
		int result;

		if (w->state != ASKED) {
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		result = w->call(w->user_data);
		pthread_mutex_lock(&w->lock);
		if (w->state == ENDING)
			break;
		w->result = result;
		eventfd_write(w->fd, 1);
		set(w, MADE);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void tell(struct worker *w)
{
	eventfd_t n;
	bool made;
	int result;

	pthread_mutex_lock(&w->lock);
	eventfd_read(w->fd, &n);
	made = w->state == MADE;
	result = w->result;
	if (made)
		w->state = IDLE;
	pthread_mutex_unlock(&w->lock);
	if (!made)
		return;
	w->busy = false;
	w->done(result, w->user_data);
}

static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	tell(user_data);
}

/* Signals are the loop's. */
static int start_thread(struct worker *w)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, &attributes, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	w->runs = !r;
	return -r;
}

int worker_new(struct event_base *loop, worker_call call, worker_done done, void *user_data,
	       struct worker **ret)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return r;
	*w = (struct worker){ .call = call, .done = done, .user_data = user_data };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd >= 0)
		w->readable = event_new(loop, w->fd, EV_READ | EV_PERSIST, on_readable, w);
	if (w->readable && !event_add(w->readable, NULL))
		r = start_thread(w);
	if (r) {
		worker_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	if (w->runs) {
		pthread_mutex_lock(&w->lock);
		set(w, ENDING);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	if (w->readable)
		event_free(w->readable);
	closep(&w->fd);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void worker_start(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	set(w, ASKED);
	pthread_mutex_unlock(&w->lock);
	w->busy = true;
}

bool worker_is_busy(const struct worker *w)
{
	return w->busy;
}

void worker_wait(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->state == ASKED)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	tell(w);
}
