/* SPDX-License-Identifier: MIT */
#include "api/lock_hold.h"

#include <errno.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/commit.h"
#include "api/server.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/quota.h"
#include "coordination/process_watch.h"

struct lock_hold *lock_hold_find(const struct lock_holds *holds, struct lock_key key)
{
	struct lock_hold *h;

	TAILQ_FOREACH(h, &holds->all, entry)
		if (lock_has_key(&h->lock, key))
			return h;
	return NULL;
}

void lock_hold_free(struct lock_hold *h)
{
	TAILQ_REMOVE(&h->holds->all, h, entry);
	quota_give_back(h->holds->api->quota, h->lock.uid, QUOTA_LOCKS_HELD, 1);
	process_watch_free(h->watch);
	if (h->expiry)
		event_free(h->expiry);
	free(h);
}

int lock_hold_release(struct lock_holds *holds, const struct lock *lock, const char *details,
		      const struct lock_actor *actor)
{
	struct registry *registry = holds->api->config.registry;
	int r = registry_begin(registry);

	if (!r)
		r = registry_lock_release(registry, lock_key_of(lock), lock->fence, time(NULL));
	/* OUTCOME_NO: a person has freed it by hand already */
	if (!r)
		r = lock_journal_add(holds->api, ACTIVITY_UNLOCK, lock->name, details, actor);
	if (r >= 0)
		commit_schedule(holds->api->commits);
	return r < 0 ? r : 0;
}

void lock_hold_end(struct lock_hold *h, const char *details, const struct lock_actor *actor)
{
	struct lock_holds *holds = h->holds;
	struct lock lock = h->lock;
	int r;

	lock_hold_free(h);
	r = lock_hold_release(holds, &lock, details, actor);
	if (!r) {
		holds->ended(lock_key_of(&lock), holds->user_data);
		return;
	}
	log_error("lock %s was not released: %s", lock.name,
		  registry_strerror(holds->api->config.registry, r));
	holds->failed(holds->user_data);
}

static void on_process_gone(const struct process_id *id, void *user_data)
{
	struct lock_hold *h = user_data;
	struct lock lock = h->lock;
	struct lock_actor actor = lock_actor_of(&lock);
	char why[96], details[LOCK_DETAILS_SIZE];

	snprintf(why, sizeof(why), "%s (pid %d) has ended", lock.comm, id->pid);
	lock_journal_words_of_end(&lock, why, details);
	lock_hold_end(h, details, &actor);
}

static void on_expiry(evutil_socket_t fd, short what, void *user_data)
{
	struct lock_hold *h = user_data;
	struct lock_actor actor = lock_actor_daemon();
	char why[96], details[LOCK_DETAILS_SIZE], ttl[32];

	snprintf(why, sizeof(why), "its time of %s is over",
		 duration_format_long(h->lock.ttl_s, ttl));
	lock_journal_words_of_end(&h->lock, why, details);
	lock_hold_end(h, details, &actor);
}

int lock_hold_set_expiry(struct lock_hold *h, int64_t in_s)
{
	const struct timeval wait = { .tv_sec = in_s };

	if (!h->lock.ttl_s)
		return h->expiry ? event_del(h->expiry) : 0;
	if (!h->expiry)
		h->expiry = evtimer_new(h->holds->api->config.loop, on_expiry, h);
	return h->expiry && !event_add(h->expiry, &wait) ? 0 : -ENOMEM;
}

int lock_hold_new(struct lock_holds *holds, const struct lock *lock, int64_t expires_in_s,
		  struct lock_hold **ret)
{
	struct api *api = holds->api;
	struct lock_hold *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	/* who wanted it was judged before; a row that is there already is not to be refused */
	r = quota_charge_existing(api->quota, lock->uid, QUOTA_LOCKS_HELD, 1);
	if (r) {
		free(h);
		return r;
	}
	h->holds = holds;
	h->lock = *lock;
	TAILQ_INSERT_TAIL(&holds->all, h, entry);
	r = process_watch_new(api->processes, &lock->process, lock->uid, on_process_gone, h,
			      &h->watch);
	if (!r)
		r = lock_hold_set_expiry(h, expires_in_s);
	if (r) {
		lock_hold_free(h);
		return r;
	}
	*ret = h;
	return 0;
}
