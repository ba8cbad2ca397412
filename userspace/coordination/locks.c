/* SPDX-License-Identifier: MIT */
#include "coordination/locks.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/outcome.h"
#include "coordination/lock_grants.h"
#include "coordination/lock_queue.h"
#include "registry/registry.h"

/* After a write failed (a full disk, a person's transaction) the locks are looked at again. */
#define RETRY_S 5

struct locks {
	struct coordination c;
	struct lock_grants grants;
	struct lock_queue *queue;
	struct event *retry;
};

static bool same_process(const struct lock *a, const struct lock *b)
{
	return a->uid == b->uid && process_id_equal(&a->process, &b->process);
}

static bool same_holder(const struct lock *a, const struct lock *b)
{
	return same_process(a, b) && strcmp(a->holder, b->holder) == 0;
}

static void retry_later(struct locks *l)
{
	static const struct timeval wait = { .tv_sec = RETRY_S };

	if (!event_pending(l->retry, EV_TIMEOUT, NULL))
		event_add(l->retry, &wait);
}

/* --- the queue --- */

/* A free lock goes to who came first; it is renewed for those who turn out to have it. */
static int take_turn(const struct lock *wanted, struct lock_answer *ret, void *user_data)
{
	struct locks *l = user_data;
	struct lock_grant *g = lock_grant_find(&l->grants, lock_key_of(wanted));

	if (!g)
		return lock_grant_give(&l->grants, wanted, ret);
	if (same_holder(&g->lock, wanted))
		return lock_grant_renew(g, wanted->ttl_s, ret);
	*ret = (struct lock_answer){ .lock = g->lock };
	return LOCK_HELD;
}

static void serve(struct locks *l, struct lock_key key)
{
	lock_queue_serve(l->queue, key, take_turn, l);
}

static int on_waited_enough(const struct lock *wanted, struct lock_answer *ret, void *user_data)
{
	const struct locks *l = user_data;
	const struct lock_grant *g = lock_grant_find(&l->grants, lock_key_of(wanted));

	if (!g) /* free, and not theirs yet: a write has failed */
		return -EAGAIN;
	*ret = (struct lock_answer){ .lock = g->lock };
	return LOCK_HELD;
}

static void on_ended(struct lock_key key, void *user_data)
{
	serve(user_data, key);
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
	r = held && !g ? lock_grant_adopt(&l->grants, &lock) : 0;
	if (!r && !lock_grant_find(&l->grants, key))
		serve(l, key);
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

/* Copies: settling ends tickets. */
struct awaited {
	struct lock_key *keys;
	size_t n;
};

static void note_awaited(const struct lock *wanted, int64_t since, void *user_data)
{
	struct awaited *a = user_data;

	a->keys[a->n++] = lock_key_of(wanted);
}

static int settle_awaited(struct locks *l)
{
	size_t waiters = quota_used_by_all(l->c.quota, QUOTA_LOCK_WAITERS);
	_cleanup_free_ struct lock_key *keys = calloc(waiters + 1, sizeof(*keys));
	struct awaited a = { .keys = keys };
	int r = keys ? 0 : -ENOMEM;

	if (r)
		return r;
	lock_queue_for_each(l->queue, NULL, note_awaited, &a);
	for (size_t i = 0; !r && i < a.n; i++)
		r = settle(l, a.keys[i]);
	return r;
}

static void on_retry(evutil_socket_t fd, short what, void *user_data)
{
	struct locks *l = user_data;
	int r = settle_all(l);

	if (!r)
		r = settle_awaited(l);
	if (!r)
		return;
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
		return take_turn(wanted, ret, l);
	/* the fence says which grant is meant: the holder's name need not be said again */
	g = lock_grant_find(&l->grants, key);
	if (g && g->lock.fence == wanted->fence && same_process(&g->lock, wanted))
		return lock_grant_renew(g, wanted->ttl_s, ret);
	*ret = (struct lock_answer){ .lock = *wanted };
	return LOCK_GRANT_IS_OVER;
}

int locks_wait(struct locks *l, const struct lock *wanted, int64_t wait_s, lock_told told,
	       void *user_data, struct lock_answer *ret)
{
	return lock_queue_add(l->queue, wanted, wait_s, told, user_data, ret);
}

void locks_leave(struct lock_ticket *ticket)
{
	lock_queue_remove(ticket);
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
	serve(l, key);
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
	lock_queue_for_each(l->queue, &key, visit, user_data);
}

/* --- lifecycle --- */

int locks_new(const struct coordination *c, struct locks **ret)
{
	struct locks *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->c = *c;
	l->grants = (struct lock_grants){
		.c = &l->c, .ended = on_ended, .failed = on_failed, .user_data = l
	};
	TAILQ_INIT(&l->grants.all);
	l->retry = evtimer_new(c->loop, on_retry, l);
	r = l->retry ? lock_queue_new(&l->c, on_waited_enough, l, &l->queue) : -ENOMEM;
	if (r) {
		locks_free(l);
		return r;
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
	lock_queue_free(l->queue);
	while (!TAILQ_EMPTY(&l->grants.all))
		lock_grant_free(TAILQ_FIRST(&l->grants.all));
	if (l->retry)
		event_free(l->retry);
	free(l);
}
