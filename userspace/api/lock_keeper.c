/* SPDX-License-Identifier: MIT */
#include "api/lock_keeper.h"

#include <errno.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/lock_delivery.h"
#include "api/lock_grant.h"
#include "api/lock_queue.h"
#include "api/lock_view.h"
#include "api/request.h"
#include "api/server.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/quota.h"

/* After a write failed (a full disk, a person's transaction) the locks are looked at again. */
#define RETRY_S 5

struct lock_keeper {
	struct api *api;
	struct lock_holds holds;
	struct lock_grants grants;
	struct lock_queue *queue;
	struct event *again;
};

static void serve(struct lock_keeper *k, struct lock_key key);

static bool same_process(const struct lock *a, const struct lock *b)
{
	return a->uid == b->uid && process_id_equal(&a->process, &b->process);
}

static bool same_owner(const struct lock *a, const struct lock *b)
{
	return same_process(a, b) && strcmp(a->holder, b->holder) == 0;
}

static void look_again(struct lock_keeper *k)
{
	static const struct timeval wait = { .tv_sec = RETRY_S };

	if (!event_pending(k->again, EV_TIMEOUT, NULL))
		event_add(k->again, &wait);
}

/* --- what the registry says, and what is watched --- */

/* To the end of the second that is stored: never early. */
static int64_t seconds_left(const struct lock *lock)
{
	return lock->ttl_s ? lock->expires_at + 1 - time(NULL) : INT64_MAX;
}

/* A held row that nobody watches: after a restart, an undone release, or by a person's hand. */
static int adopt(struct lock_keeper *k, const struct lock *lock)
{
	struct lock_actor actor = lock_actor_daemon();
	int64_t left = seconds_left(lock);
	char details[LOCK_DETAILS_SIZE];
	struct lock_hold *h;
	int r;

	if (left <= 0) {
		lock_journal_words_of_end(lock, "its time is over", details);
		return lock_hold_release(&k->holds, lock, details, &actor);
	}
	r = lock_hold_new(&k->holds, lock, left, &h);
	if (r != -ESRCH)
		return r;
	lock_journal_words_of_end(lock, "its process has ended", details);
	return lock_hold_release(&k->holds, lock, details, &actor);
}

/*
 * Brings one lock's row and watch to agree, and serves who waits for it.  A lock whose time is over
 * by the clock is not waited for: its timer stands while the machine sleeps.
 */
static int settle(struct lock_keeper *k, struct lock_key key)
{
	struct lock_hold *h = lock_hold_find(&k->holds, key);
	struct lock lock;
	int r = registry_lock_load(k->api->config.registry, key, &lock);
	bool held = !r && lock_is_held(&lock);

	if (r < 0)
		return r;
	if (h && (!held || h->lock.fence != lock.fence || seconds_left(&lock) <= 0)) {
		lock_hold_free(h);
		h = NULL;
	}
	r = held && !h ? adopt(k, &lock) : 0;
	if (!r && !lock_hold_find(&k->holds, key))
		serve(k, key);
	return r;
}

static int settle_held(struct lock_keeper *k)
{
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0;
	int r = registry_locks_load(k->api->config.registry, true, &locks, &n);

	for (size_t i = 0; !r && i < n; i++)
		r = settle(k, lock_key_of(&locks[i]));
	return r;
}

/* Of locks whose row is gone, too.  A settled lock's hold is new or stays: `next` is not freed. */
static int settle_all(struct lock_keeper *k)
{
	struct lock_hold *h, *next;
	int r = settle_held(k);

	for (h = TAILQ_FIRST(&k->holds.all); !r && h; h = next) {
		next = TAILQ_NEXT(h, entry);
		r = settle(k, lock_key_of(&h->lock));
	}
	return r;
}

/* Copies: settling answers and frees waiters. */
struct awaited {
	struct lock_key *keys;
	size_t n;
};

static void note_awaited(const struct lock *wanted, int64_t since, void *user_data)
{
	struct awaited *a = user_data;

	a->keys[a->n++] = lock_key_of(wanted);
}

static int settle_awaited(struct lock_keeper *k)
{
	size_t waiters = quota_used_by_all(k->api->quota, QUOTA_LOCK_WAITERS);
	_cleanup_free_ struct lock_key *keys = calloc(waiters + 1, sizeof(*keys));
	struct awaited a = { .keys = keys };
	int r = keys ? 0 : -ENOMEM;

	if (r)
		return r;
	lock_queue_for_each(k->queue, NULL, note_awaited, &a);
	for (size_t i = 0; !r && i < a.n; i++)
		r = settle(k, a.keys[i]);
	return r;
}

static void on_again(evutil_socket_t fd, short what, void *user_data)
{
	struct lock_keeper *k = user_data;
	int r = settle_all(k);

	if (!r)
		r = settle_awaited(k);
	if (!r)
		return;
	log_error("the locks were not brought up to date: %s",
		  registry_strerror(k->api->config.registry, r));
	look_again(k);
}

void lock_keeper_undone(struct lock_keeper *k)
{
	look_again(k);
}

void lock_keeper_clock_changed(struct lock_keeper *k)
{
	on_again(-1, 0, k);
}

int lock_keeper_look(struct lock_keeper *k, struct lock_key key, struct lock *ret)
{
	int r = settle(k, key);

	return r ? r : registry_lock_load(k->api->config.registry, key, ret);
}

int lock_keeper_look_all(struct lock_keeper *k, bool held, struct lock **ret, size_t *ret_n)
{
	int r = settle_all(k);

	return r ? r : registry_locks_load(k->api->config.registry, held, ret, ret_n);
}

/* --- the queue --- */

static int refuse_held(struct request *r, const struct lock_keeper *k, const struct lock *lock,
		       const char *behind)
{
	char words[LOCK_WORDS_SIZE];

	request_extra(r, "lock", lock_view(k, lock, r->uid));
	return request_fail(r, OUTCOME_CONFLICT, "%s is %s; %s", lock->name,
			    lock_words_held(lock, time(NULL), words), behind);
}

static int on_waited_enough(struct request *r, const struct lock_wish *wish, void *user_data)
{
	const struct lock_keeper *k = user_data;
	const struct lock_hold *h = lock_hold_find(&k->holds, lock_key_of(&wish->lock));
	char behind[64], waited[32];

	if (!h) /* free, and not theirs yet: a write has failed */
		return -EAGAIN;
	snprintf(behind, sizeof(behind), "waited %s for it",
		 duration_format_long(wish->wait_s, waited));
	return refuse_held(r, k, &h->lock, behind);
}

/* A free lock goes to who came first; it is renewed for those who turn out to hold it. */
static bool take_turn(struct request *r, const struct lock_wish *wish, int *ret_result,
		      void *user_data)
{
	struct lock_keeper *k = user_data;
	struct lock_hold *h = lock_hold_find(&k->holds, lock_key_of(&wish->lock));

	if (!h)
		*ret_result = lock_grant_give(&k->grants, r, wish);
	else if (same_owner(&h->lock, &wish->lock))
		*ret_result = lock_grant_renew(&k->grants, r, h, wish->lock.ttl_s);
	else
		return false;
	return true;
}

static void serve(struct lock_keeper *k, struct lock_key key)
{
	lock_queue_serve(k->queue, key, take_turn, k);
}

static void on_ended(struct lock_key key, void *user_data)
{
	serve(user_data, key);
}

static void on_failed(void *user_data)
{
	look_again(user_data);
}

/* --- requests --- */

/* The fence says which grant is meant: the holder's name need not be said again. */
static int renew_only(struct lock_keeper *k, struct request *r, struct lock_hold *h,
		      const struct lock_wish *wish)
{
	if (h && h->lock.fence == wish->renew_only && same_process(&h->lock, &wish->lock))
		return lock_grant_renew(&k->grants, r, h, wish->lock.ttl_s);
	return request_fail(r, OUTCOME_CONFLICT, "%s is not held with fence %lld any more",
			    wish->lock.name, (long long)wish->renew_only);
}

int lock_keeper_acquire(struct lock_keeper *k, struct request *r, const struct lock_wish *wish)
{
	struct lock_key key = lock_key_of(&wish->lock);
	struct lock_hold *h;
	int fault = settle(k, key);

	if (fault)
		return fault;
	h = lock_hold_find(&k->holds, key);
	if (wish->renew_only)
		return renew_only(k, r, h, wish);
	if (h && same_owner(&h->lock, &wish->lock))
		return lock_grant_renew(&k->grants, r, h, wish->lock.ttl_s);
	if (!h)
		return lock_grant_give(&k->grants, r, wish);
	if (wish->wait_s)
		return lock_queue_add(k->queue, r, wish);
	return refuse_held(r, k, &h->lock, "wait for it with --wait");
}

int lock_keeper_release(struct lock_keeper *k, struct request *r, const struct lock *lock,
			const char *details, const char *comm)
{
	struct lock_actor actor = { r->pid, r->uid, comm };
	struct lock_key key = lock_key_of(lock);
	struct lock_hold *h = lock_hold_find(&k->holds, key);
	int fault = request_begin_write(r);

	if (!fault)
		fault = lock_hold_release(&k->holds, lock, details, &actor);
	if (fault)
		return fault;
	if (h)
		lock_hold_free(h);
	serve(k, key);
	return 0;
}

void lock_keeper_for_each_waiter(const struct lock_keeper *k, struct lock_key key,
				 lock_waiter_visit visit, void *user_data)
{
	lock_queue_for_each(k->queue, &key, visit, user_data);
}

/* --- lifecycle --- */

int lock_keeper_new(struct api *api, struct lock_keeper **ret)
{
	struct lock_keeper *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->api = api;
	k->holds = (struct lock_holds){
		.api = api, .ended = on_ended, .failed = on_failed, .user_data = k
	};
	k->grants.holds = &k->holds;
	TAILQ_INIT(&k->holds.all);
	k->again = evtimer_new(api->config.loop, on_again, k);
	r = k->again ? lock_deliveries_new(api->config.loop, &k->grants.deliveries) : -ENOMEM;
	if (!r)
		r = lock_queue_new(api, on_waited_enough, k, &k->queue);
	if (r) {
		lock_keeper_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

int lock_keeper_start(struct lock_keeper *k)
{
	return settle_held(k);
}

void lock_keeper_free(struct lock_keeper *k)
{
	if (!k)
		return;
	lock_deliveries_free(k->grants.deliveries);
	lock_queue_free(k->queue);
	while (!TAILQ_EMPTY(&k->holds.all))
		lock_hold_free(TAILQ_FIRST(&k->holds.all));
	if (k->again)
		event_free(k->again);
	free(k);
}
