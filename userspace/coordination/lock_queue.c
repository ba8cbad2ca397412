/* SPDX-License-Identifier: MIT */
#include "coordination/lock_queue.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "coordination/process_watch.h"

struct lock_ticket {
	TAILQ_ENTRY(lock_ticket) entry;
	struct lock_queue *queue;
	struct lock wanted;
	int64_t since;
	lock_told told;
	void *user_data;
	struct process_watch *watch;
	struct event *timeout;
};

struct lock_queue {
	const struct coordination *c;
	lock_queue_answer expired;
	void *user_data;
	TAILQ_HEAD(, lock_ticket) tickets; /* for all locks */
};

void lock_queue_remove(struct lock_ticket *t)
{
	TAILQ_REMOVE(&t->queue->tickets, t, entry);
	quota_give_back(t->queue->c->quota, t->wanted.uid, QUOTA_LOCK_WAITERS, 1);
	process_watch_free(t->watch);
	if (t->timeout)
		event_free(t->timeout);
	free(t);
}

static void tell(struct lock_ticket *t, int result, const struct lock_answer *answer)
{
	lock_told told = t->told;
	void *user_data = t->user_data;

	lock_queue_remove(t);
	told(result, answer, user_data);
}

static void on_process_gone(const struct process_id *id, void *user_data)
{
	struct lock_ticket *t = user_data;
	const struct lock_answer answer = { .lock = t->wanted };

	tell(t, LOCK_PROCESS_ENDED, &answer);
}

static void on_timeout(evutil_socket_t fd, short what, void *user_data)
{
	struct lock_ticket *t = user_data;
	struct lock_answer answer;
	int result = t->queue->expired(&t->wanted, &answer, t->queue->user_data);

	tell(t, result, &answer);
}

/* 0; -ESRCH when its process has ended; -ENOMEM. */
static int start(struct lock_ticket *t, int64_t wait_s)
{
	const struct coordination *c = t->queue->c;
	const struct timeval wait = { .tv_sec = wait_s };
	int r = process_watch_new(c->processes, &t->wanted.process, t->wanted.uid, on_process_gone,
				  t, &t->watch);

	if (r || wait_s == LOCK_WAIT_FOREVER)
		return r;
	t->timeout = evtimer_new(c->loop, on_timeout, t);
	return t->timeout && !event_add(t->timeout, &wait) ? 0 : -ENOMEM;
}

int lock_queue_add(struct lock_queue *q, const struct lock *wanted, int64_t wait_s, lock_told told,
		   void *user_data, struct lock_answer *ret)
{
	int r = quota_charge(q->c->quota, wanted->uid, QUOTA_LOCK_WAITERS, 1);
	struct lock_ticket *t;

	*ret = (struct lock_answer){ .lock = *wanted, .limit = QUOTA_LOCK_WAITERS };
	if (r > 0)
		ret->excess = (enum quota_outcome)r;
	if (r)
		return r > 0 ? LOCK_LIMIT : r;
	t = calloc(1, sizeof(*t));
	if (!t) {
		quota_give_back(q->c->quota, wanted->uid, QUOTA_LOCK_WAITERS, 1);
		return -ENOMEM;
	}
	*t = (struct lock_ticket){
		.queue = q,
		.wanted = *wanted,
		.since = time(NULL),
		.told = told,
		.user_data = user_data,
	};
	TAILQ_INSERT_TAIL(&q->tickets, t, entry);
	r = start(t, wait_s);
	if (r) {
		lock_queue_remove(t);
		return r == -ESRCH ? LOCK_PROCESS_ENDED : r;
	}
	ret->ticket = t;
	return LOCK_QUEUED;
}

void lock_queue_serve(struct lock_queue *q, struct lock_key key, lock_queue_answer turn,
		      void *user_data)
{
	struct lock_ticket *t = TAILQ_FIRST(&q->tickets);
	struct lock_answer answer;
	int result;

	while (t) {
		result = lock_has_key(&t->wanted, key) ? turn(&t->wanted, &answer, user_data)
						       : LOCK_HELD;
		if (result == LOCK_HELD) {
			t = TAILQ_NEXT(t, entry);
			continue;
		}
		tell(t, result, &answer);
		/* from the front again: who is told may end other tickets */
		t = TAILQ_FIRST(&q->tickets);
	}
}

void lock_queue_for_each(const struct lock_queue *q, const struct lock_key *key,
			 lock_waiter_visit visit, void *user_data)
{
	struct lock_ticket *t;

	TAILQ_FOREACH(t, &q->tickets, entry)
		if (!key || lock_has_key(&t->wanted, *key))
			visit(&t->wanted, t->since, user_data);
}

int lock_queue_new(const struct coordination *c, lock_queue_answer expired, void *user_data,
		   struct lock_queue **ret)
{
	struct lock_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->c = c;
	q->expired = expired;
	q->user_data = user_data;
	TAILQ_INIT(&q->tickets);
	*ret = q;
	return 0;
}

void lock_queue_free(struct lock_queue *q)
{
	if (!q)
		return;
	while (!TAILQ_EMPTY(&q->tickets))
		lock_queue_remove(TAILQ_FIRST(&q->tickets));
	free(q);
}
