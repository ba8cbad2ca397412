/* SPDX-License-Identifier: MIT */
#include "api/lock_grant.h"

#include <errno.h>

#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/lock_delivery.h"
#include "api/request.h"
#include "api/server.h"
#include "base/moment.h"

static struct registry *registry_of(const struct lock_grants *grants)
{
	return grants->holds->api->config.registry;
}

/* A grant whose answer is on its way. */
struct granting {
	struct lock_grants *grants;
	struct lock_key key;
	int64_t fence;
	bool closes; /* the connection ends with the answer */
};

static struct lock_hold *hold_of(const struct granting *g)
{
	struct lock_hold *h = lock_hold_find(g->grants->holds, g->key);

	return h && h->lock.fence == g->fence ? h : NULL;
}

static void on_delivery(bool taken, void *user_data)
{
	_cleanup_free_ struct granting *g = user_data;
	struct lock_hold *h = hold_of(g);
	struct lock_actor actor = lock_actor_daemon();
	char details[LOCK_DETAILS_SIZE];

	if (taken || !h)
		return;
	lock_journal_words_of_end(&h->lock, "whoever asked has left before the answer", details);
	lock_hold_end(h, details, &actor);
}

static void on_settled(struct evhttp_connection *connection, int error, void *user_data)
{
	struct granting *g = user_data;
	struct lock_hold *h = hold_of(g);

	if (!error) {
		lock_delivery_watch(g->grants->deliveries, connection, g->closes, on_delivery, g);
		return;
	}
	if (h)
		lock_hold_free(h);
	g->grants->holds->failed(g->grants->holds->user_data);
	free(g);
}

static int expect_delivery(struct lock_grants *grants, struct request *r, const struct lock *lock)
{
	struct granting *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->grants = grants;
	g->key = lock_key_of(lock);
	g->fence = lock->fence;
	g->closes = r->http->major == 1 && r->http->minor == 0;
	r->settled = on_settled;
	r->settled_data = g;
	return 0;
}

static int add_answer(struct request *r, const struct lock *lock, bool existing)
{
	json_add_text(r->answer, "name", lock->name);
	json_add_bool(r->answer, "machine", lock->owner == LOCK_OF_MACHINE);
	json_add_text(r->answer, "holder", lock->holder);
	json_add_int(r->answer, "fence", lock->fence);
	json_add_bool(r->answer, "existing", existing);
	json_add_int(r->answer, "pid", lock->process.pid);
	json_add_text(r->answer, "process", lock->comm);
	json_add_int(r->answer, "acquiredAt", lock->acquired_at);
	json_add_known(r->answer, "ttl", lock->ttl_s);
	json_add_known(r->answer, "expiresAt", lock->expires_at);
	return 0;
}

/* The hold itself is charged by its constructor. */
static int check_limit(struct request *r, const struct lock *lock)
{
	int outcome = quota_check(r->api->quota, lock->uid, QUOTA_LOCKS_HELD, 1);

	return outcome ? request_fail_quota(r, QUOTA_LOCKS_HELD, outcome) : 0;
}

static int write_grant(struct lock_grants *grants, struct request *r, struct lock *lock)
{
	int fault = request_begin_write(r);

	if (!fault)
		fault = registry_lock_grant(registry_of(grants), lock);
	if (!fault)
		fault = lock_journal_grant(grants->holds->api, lock);
	return fault ? fault : expect_delivery(grants, r, lock);
}

int lock_grant_give(struct lock_grants *grants, struct request *r, const struct lock_wish *wish)
{
	struct lock lock = wish->lock;
	struct lock_hold *h;
	int fault = check_limit(r, &lock);

	if (fault)
		return fault;
	lock.acquired_at = time(NULL);
	lock.expires_at = lock.ttl_s ? lock.acquired_at + lock.ttl_s : 0;
	fault = lock_hold_new(grants->holds, &lock, lock.ttl_s, &h);
	if (fault == -ESRCH)
		return lock_queue_refuse_ended(r, &lock);
	if (fault)
		return fault;
	fault = write_grant(grants, r, &h->lock);
	if (!fault)
		return add_answer(r, &h->lock, false);
	registry_lock_release(registry_of(grants), lock_key_of(&h->lock), h->lock.fence,
			      time(NULL));
	lock_hold_free(h);
	return fault;
}

int lock_grant_renew(struct lock_grants *grants, struct request *r, struct lock_hold *h,
		     int64_t ttl_s)
{
	struct lock lock = h->lock;
	int fault = request_begin_write(r);

	if (ttl_s)
		lock.ttl_s = ttl_s;
	lock.expires_at = lock.ttl_s ? time(NULL) + lock.ttl_s : 0;
	if (!fault)
		fault = registry_lock_renew(registry_of(grants), &lock);
	if (fault)
		return fault > 0 ? -EUCLEAN : fault; /* settled just now: the row is there */
	h->lock = lock;
	fault = lock_hold_set_expiry(h, lock.ttl_s);
	return fault ? fault : add_answer(r, &lock, true);
}
