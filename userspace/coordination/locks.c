/* SPDX-License-Identifier: MIT */
#include "coordination/locks.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "coordination/lock_grants.h"
#include "coordination/process_watch.h"
#include "registry/registry.h"

/* After a write failed (a full disk, a person's transaction) the locks are looked at again. */
#define RETRY_S 5

struct locks {
	struct coordination c;
	struct lock_grants grants;
	TAILQ_HEAD(, lock_ticket) queue; /* for all locks, first come first */
	struct event *retry;
	uint64_t last_run; /* above all that are named */
};

struct lock_ticket {
	TAILQ_ENTRY(lock_ticket) entry;
	struct locks *locks;
	struct lock wanted;
	int64_t since;
	lock_ticket_end end;
	void *user_data;
	struct process_watch *watch;
	struct event *timeout;
};

static bool same_process(const struct lock *a, const struct lock *b)
{
	return a->uid == b->uid && a->by_time == b->by_time &&
	       process_id_equal(&a->process, &b->process);
}

/* Also through the one of a single command, as whose successor it has the lock. */
static bool same_holder(const struct lock *has, const struct lock *wants)
{
	if (has->uid != wants->uid || strcmp(has->holder, wants->holder) != 0)
		return false;
	return same_process(has, wants) ||
	       (wants->short_lived && has->by_time == !wants->successor.pid &&
		process_id_equal(&has->process, &wants->successor));
}

static void retry_later(struct locks *l)
{
	static const struct timeval wait = { .tv_sec = RETRY_S };

	if (!event_pending(l->retry, EV_TIMEOUT, NULL))
		event_add(l->retry, &wait);
}

/* --- one ticket --- */

void locks_leave(struct lock_ticket *t)
{
	TAILQ_REMOVE(&t->locks->queue, t, entry);
	quota_give_back(t->locks->c.quota, t->wanted.uid, QUOTA_LOCK_WAITERS, 1);
	process_watch_free(t->watch);
	if (t->timeout)
		event_free(t->timeout);
	free(t);
}

static void ticket_end(struct lock_ticket *t, int result, const struct lock_answer *answer)
{
	lock_ticket_end end = t->end;
	void *user_data = t->user_data;

	locks_leave(t);
	end(result, answer, user_data);
}

static void on_process_gone(const struct process_id *id, void *user_data)
{
	struct lock_ticket *t = user_data;
	const struct lock_answer answer = { .lock = t->wanted };

	ticket_end(t, LOCK_PROCESS_ENDED, &answer);
}

static void on_timeout(evutil_socket_t fd, short what, void *user_data)
{
	struct lock_ticket *t = user_data;
	const struct lock_grant *g = lock_grant_find(&t->locks->grants, lock_key_of(&t->wanted));
	struct lock_answer answer = { 0 };

	if (g)
		answer.lock = g->lock;
	/* without a grant it is free, and not theirs yet: a write has failed */
	ticket_end(t, g ? LOCK_HELD : -EAGAIN, &answer);
}

/* 0; -ESRCH when its process has ended; -ENOMEM. */
static int ticket_start(struct lock_ticket *t, int64_t wait_s)
{
	const struct coordination *c = &t->locks->c;
	const struct timeval wait = { .tv_sec = wait_s };
	int r = t->wanted.by_time ? 0
				  : process_watch_new(c->processes, &t->wanted.process,
						      t->wanted.uid, on_process_gone, t, &t->watch);

	if (r || wait_s == LOCK_WAIT_FOREVER)
		return r;
	t->timeout = evtimer_new(c->loop, on_timeout, t);
	return t->timeout && !event_add(t->timeout, &wait) ? 0 : -ENOMEM;
}

int locks_wait(struct locks *l, const struct lock *wanted, int64_t wait_s, lock_ticket_end end,
	       void *user_data, struct lock_answer *ret)
{
	int r = quota_charge(l->c.quota, wanted->uid, QUOTA_LOCK_WAITERS, 1);
	struct lock_ticket *t;

	*ret = (struct lock_answer){ .lock = *wanted, .limit = QUOTA_LOCK_WAITERS };
	if (r > 0)
		ret->excess = (enum quota_outcome)r;
	if (r)
		return r > 0 ? LOCK_LIMIT : r;
	t = calloc(1, sizeof(*t));
	if (!t) {
		quota_give_back(l->c.quota, wanted->uid, QUOTA_LOCK_WAITERS, 1);
		return -ENOMEM;
	}
	*t = (struct lock_ticket){
		.locks = l,
		.wanted = *wanted,
		.since = time(NULL),
		.end = end,
		.user_data = user_data,
	};
	TAILQ_INSERT_TAIL(&l->queue, t, entry);
	r = ticket_start(t, wait_s);
	if (r) {
		locks_leave(t);
		return r == -ESRCH ? LOCK_PROCESS_ENDED : r;
	}
	ret->ticket = t;
	return LOCK_QUEUED;
}

/* --- the queue --- */

/* A free lock is granted; it is renewed for those who turn out to have it. */
static int take(struct locks *l, const struct lock *wanted, struct lock_answer *ret)
{
	struct lock_grant *g = lock_grant_find(&l->grants, lock_key_of(wanted));

	if (!g)
		return lock_grant_give(&l->grants, wanted, ret);
	if (same_holder(&g->lock, wanted))
		return lock_grant_renew(g, wanted->ttl_s, ret);
	*ret = (struct lock_answer){ .lock = g->lock };
	return LOCK_HELD;
}

/* Offers a lock (NULL: each that is free) to those who wait for it, first come, first served. */
static void serve(struct locks *l, const struct lock_key *key)
{
	struct lock_ticket *t = TAILQ_FIRST(&l->queue);
	struct lock_answer answer;

	while (t) {
		bool offered = !key || lock_has_key(&t->wanted, *key);
		int result = offered ? take(l, &t->wanted, &answer) : LOCK_HELD;

		if (result == LOCK_HELD) {
			t = TAILQ_NEXT(t, entry);
			continue;
		}
		ticket_end(t, result, &answer);
		/* from the front again: who is told may end other tickets */
		t = TAILQ_FIRST(&l->queue);
	}
}

static void on_ended(struct lock_key key, void *user_data)
{
	serve(user_data, &key);
}

static void on_failed(void *user_data)
{
	retry_later(user_data);
}

/* --- what the registry says, and what is watched --- */

/*
 * Brings one lock's row and watch to agree, and serves who waits for it.  A lock whose time is over
 * by the clock is not waited for: its timer stands while the machine sleeps.
 */
static int settle(struct locks *l, struct lock_key key)
{
	struct lock_grant *g = lock_grant_find(&l->grants, key);
	struct lock lock;
	int r = registry_lock_load(l->c.registry, key, &lock);
	bool held = !r && lock_is_held(&lock);

	if (r < 0)
		return r;
	if (g && (!held || g->lock.fence != lock.fence || lock_grant_seconds_left(&lock) <= 0)) {
		lock_grant_free(g);
		g = NULL;
	}
	if (g && lock_grant_is_left(g) && lock_grant_run_lives(g)) {
		retry_later(l);
	} else if (g && lock_grant_is_left(g)) {
		lock_grant_end_with_run(g); /* which was told to nobody */
		return 0;
	}
	r = held && !g ? lock_grant_adopt(&l->grants, &lock) : 0;
	if (!r && !lock_grant_find(&l->grants, key))
		serve(l, &key);
	return r;
}

static int settle_held(struct locks *l)
{
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0;
	int r = registry_locks_load(l->c.registry, true, &locks, &n);

	for (size_t i = 0; !r && i < n; i++)
		r = settle(l, lock_key_of(&locks[i]));
	return r;
}

/* Of locks whose row is gone, too.  A settled lock's grant is new or stays: `next` is not freed. */
static int settle_all(struct locks *l)
{
	struct lock_grant *g, *next;
	int r = settle_held(l);

	for (g = TAILQ_FIRST(&l->grants.all); !r && g; g = next) {
		next = TAILQ_NEXT(g, entry);
		r = settle(l, lock_key_of(&g->lock));
	}
	return r;
}

static void on_retry(evutil_socket_t fd, short what, void *user_data)
{
	struct locks *l = user_data;
	int r = settle_all(l);

	if (!r) {
		serve(l, NULL);
		return;
	}
	log_error("the locks were not brought up to date: %s", registry_strerror(l->c.registry, r));
	retry_later(l);
}

void locks_undone(struct locks *l)
{
	retry_later(l);
}

void locks_clock_changed(struct locks *l)
{
	on_retry(-1, 0, l);
}

/* --- taking one, giving it away --- */

int locks_acquire(struct locks *l, const struct lock *wanted, struct lock_answer *ret)
{
	struct lock_key key = lock_key_of(wanted);
	struct lock_grant *g;
	int r = settle(l, key);

	if (r)
		return r;
	if (!wanted->fence)
		return take(l, wanted, ret);
	/* the fence says which grant is meant: the holder's name need not be said again */
	g = lock_grant_find(&l->grants, key);
	if (g && g->lock.fence == wanted->fence && same_process(&g->lock, wanted))
		return lock_grant_renew(g, wanted->ttl_s, ret);
	*ret = (struct lock_answer){ .lock = *wanted };
	return LOCK_GRANT_IS_OVER;
}

int locks_follow_run(struct locks *l, struct lock_key key, int64_t fence)
{
	struct lock_grant *g = lock_grant_find(&l->grants, key);

	if (!g || g->lock.fence != fence)
		return -ESRCH;
	if (lock_grant_run_lives(g))
		return 0;
	return lock_grant_follow_run(g, ++l->last_run);
}

void locks_run_ended(struct locks *l, uint64_t run)
{
	struct lock_grant *g;

	TAILQ_FOREACH(g, &l->grants.all, entry)
		if (g->run == run) {
			lock_grant_end_with_run(g);
			return;
		}
}

void locks_take_back(struct locks *l, struct lock_key key, int64_t fence)
{
	const struct lock_actor actor = lock_actor_daemon();
	struct lock_grant *g = lock_grant_find(&l->grants, key);

	if (g && g->lock.fence == fence)
		lock_grant_end(g, "whoever asked has left before the answer", &actor);
}

int locks_release(struct locks *l, const struct lock *lock, const char *details,
		  const struct lock_actor *actor)
{
	struct lock_key key = lock_key_of(lock);
	struct lock_grant *g = lock_grant_find(&l->grants, key);
	int r = lock_grant_release(&l->grants, lock, details, actor);

	if (r)
		return r;
	if (g)
		lock_grant_free(g);
	serve(l, &key);
	return 0;
}

/* --- looking --- */

int locks_look(struct locks *l, struct lock_key key, struct lock *ret)
{
	int r = settle(l, key);

	return r ? r : registry_lock_load(l->c.registry, key, ret);
}

int locks_look_all(struct locks *l, bool held, struct lock **ret, size_t *ret_n)
{
	int r = settle_all(l);

	return r ? r : registry_locks_load(l->c.registry, held, ret, ret_n);
}

void locks_for_each_waiter(const struct locks *l, struct lock_key key, lock_waiter_visit visit,
			   void *user_data)
{
	const struct lock_ticket *t;

	TAILQ_FOREACH(t, &l->queue, entry)
		if (lock_has_key(&t->wanted, key))
			visit(&t->wanted, t->since, user_data);
}

/* --- lifecycle --- */

int locks_new(const struct coordination *c, struct locks **ret)
{
	struct locks *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->c = *c;
	l->last_run = UINT32_MAX;
	l->grants = (struct lock_grants){
		.c = &l->c, .ended = on_ended, .failed = on_failed, .user_data = l
	};
	TAILQ_INIT(&l->grants.all);
	TAILQ_INIT(&l->queue);
	l->retry = evtimer_new(c->loop, on_retry, l);
	if (!l->retry) {
		locks_free(l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

int locks_start(struct locks *l)
{
	return settle_held(l);
}

void locks_free(struct locks *l)
{
	if (!l)
		return;
	while (!TAILQ_EMPTY(&l->queue))
		locks_leave(TAILQ_FIRST(&l->queue));
	while (!TAILQ_EMPTY(&l->grants.all))
		lock_grant_free(TAILQ_FIRST(&l->grants.all));
	if (l->retry)
		event_free(l->retry);
	free(l);
}
