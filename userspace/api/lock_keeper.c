/* SPDX-License-Identifier: MIT */
#include "api/lock_keeper.h"

#include <errno.h>

#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "api/lock_delivery.h"
#include "api/lock_queue.h"
#include "api/lock_view.h"
#include "api/process_watch.h"
#include "api/request.h"
#include "api/server.h"
#include "base/log.h"
#include "base/moment.h"

#define DETAILS_SIZE 512
/* After a write failed (a full disk, a person's transaction) the locks are looked at again. */
#define RETRY_S 5
/* Locks may fill the audit trail faster than everything else together: they prune it, too. */
#define PRUNE_EVERY 1000 /* entries */
#define PRUNE_ROWS  2000 /* at once, so that no turn of the loop takes long */

struct hold {
	TAILQ_ENTRY(hold) entry;
	struct lock_keeper *keeper;
	struct lock lock;
	struct process_watch *watch;
	struct event *expiry;
};

struct lock_keeper {
	struct api *api;
	struct lock_deliveries *deliveries;
	struct lock_queue *queue;
	struct event *again;
	TAILQ_HEAD(, hold) holds;
	unsigned entries_since_prune;
};

/* Who ends a hold, for the audit trail. */
struct actor {
	pid_t pid;
	uid_t uid;
	const char *comm;
};

static void serve(struct lock_keeper *k, const char *name);
static int settle(struct lock_keeper *k, const char *name);

static bool same_process(const struct lock *a, const struct lock *b)
{
	return a->uid == b->uid && process_id_equal(&a->process, &b->process);
}

static bool same_owner(const struct lock *a, const struct lock *b)
{
	return same_process(a, b) && strcmp(a->holder, b->holder) == 0;
}

static int journal(struct lock_keeper *k, enum activity_action action, const char *name,
		   const char *details, const struct actor *actor)
{
	struct activity entry = {
		.action = action,
		.service = name,
		.details = details,
		.timestamp = time(NULL),
		.pid = actor->pid,
		.uid = actor->uid,
		.comm = actor->comm,
	};
	struct registry *registry = k->api->config.registry;
	int r = registry_log(registry, &entry, &entry.id);

	if (r)
		return r;
	api_publish_activity(k->api, &entry);
	if (++k->entries_since_prune < PRUNE_EVERY)
		return 0;
	k->entries_since_prune = 0;
	r = registry_prune_activity(registry, entry.timestamp, PRUNE_ROWS);
	return r < 0 ? r : 0;
}

static void look_again(struct lock_keeper *k)
{
	static const struct timeval wait = { .tv_sec = RETRY_S };

	if (!event_pending(k->again, EV_TIMEOUT, NULL))
		event_add(k->again, &wait);
}

/* --- holds --- */

static struct hold *hold_find(const struct lock_keeper *k, const char *name)
{
	struct hold *h;

	TAILQ_FOREACH(h, &k->holds, entry)
		if (strcmp(h->lock.name, name) == 0)
			return h;
	return NULL;
}

static void hold_free(struct hold *h)
{
	TAILQ_REMOVE(&h->keeper->holds, h, entry);
	process_watch_free(h->watch);
	if (h->expiry)
		event_free(h->expiry);
	free(h);
}

static int end_lock(struct lock_keeper *k, const struct lock *lock, const char *details,
		    const struct actor *actor)
{
	struct registry *registry = k->api->config.registry;
	int r = registry_begin(registry);

	if (!r)
		r = registry_lock_release(registry, lock->name, lock->fence, time(NULL));
	/* OUTCOME_NO: a person has freed it by hand already */
	if (!r)
		r = journal(k, ACTIVITY_UNLOCK, lock->name, details, actor);
	if (r >= 0)
		api_schedule_commit(k->api);
	return r < 0 ? r : 0;
}

/* Ends a hold whose time has come, and serves the next.  The hold is freed in any case. */
static void hold_end(struct hold *h, const char *details, const struct actor *actor)
{
	struct lock_keeper *k = h->keeper;
	struct lock lock = h->lock;
	int r;

	hold_free(h);
	r = end_lock(k, &lock, details, actor);
	if (!r) {
		serve(k, lock.name);
		return;
	}
	log_error("lock %s was not released: %s", lock.name, strerror(-r));
	look_again(k);
}

static void words_of_end(const struct lock *lock, const char *why, char *ret)
{
	char age[32];

	snprintf(ret, DETAILS_SIZE, "Released: %s; was held by %s for %s", why, lock->holder,
		 duration_format_short(time(NULL) - lock->acquired_at, age));
}

static struct actor actor_of(const struct lock *lock)
{
	return (struct actor){ lock->process.pid, lock->uid, lock->comm };
}

static struct actor actor_daemon(void)
{
	return (struct actor){ getpid(), geteuid(), "portdaddyd" };
}

static void on_process_gone(const struct process_id *id, void *user_data)
{
	struct hold *h = user_data;
	struct lock lock = h->lock;
	struct actor actor = actor_of(&lock);
	char why[96], details[DETAILS_SIZE];

	snprintf(why, sizeof(why), "%s (pid %d) has ended", lock.comm, id->pid);
	words_of_end(&lock, why, details);
	hold_end(h, details, &actor);
}

static void on_expiry(evutil_socket_t fd, short what, void *user_data)
{
	struct hold *h = user_data;
	struct actor actor = actor_daemon();
	char why[96], details[DETAILS_SIZE], ttl[32];

	snprintf(why, sizeof(why), "its time of %s is over",
		 duration_format_long(h->lock.ttl_s, ttl));
	words_of_end(&h->lock, why, details);
	hold_end(h, details, &actor);
}

static int hold_set_expiry(struct hold *h, int64_t in_s)
{
	const struct timeval wait = { .tv_sec = in_s };

	if (!h->lock.ttl_s)
		return h->expiry ? event_del(h->expiry) : 0;
	if (!h->expiry)
		h->expiry = evtimer_new(h->keeper->api->config.loop, on_expiry, h);
	return h->expiry && !event_add(h->expiry, &wait) ? 0 : -ENOMEM;
}

/* Watches a lock from now on.  0; -ESRCH when its process has ended; -ENOMEM. */
static int hold_new(struct lock_keeper *k, const struct lock *lock, int64_t expires_in_s,
		    struct hold **ret)
{
	struct hold *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->keeper = k;
	h->lock = *lock;
	TAILQ_INSERT_TAIL(&k->holds, h, entry);
	r = process_watch_new(k->api->processes, &lock->process, on_process_gone, h, &h->watch);
	if (!r)
		r = hold_set_expiry(h, expires_in_s);
	if (r) {
		hold_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

/* --- what the registry says, and what is watched --- */

/* A held row that nobody watches: after a restart, an undone release, or by a person's hand. */
static int adopt(struct lock_keeper *k, const struct lock *lock)
{
	struct actor actor = actor_daemon();
	/* to the end of the second that is stored: never early */
	int64_t left = lock->expires_at + 1 - time(NULL);
	char details[DETAILS_SIZE];
	struct hold *h;
	int r;

	if (lock->ttl_s && left <= 0) {
		words_of_end(lock, "its time is over", details);
		return end_lock(k, lock, details, &actor);
	}
	r = hold_new(k, lock, left, &h);
	if (r != -ESRCH)
		return r;
	words_of_end(lock, "its process has ended", details);
	return end_lock(k, lock, details, &actor);
}

/* Brings one lock's row and watch to agree, and serves who waits for it. */
static int settle(struct lock_keeper *k, const char *name)
{
	struct hold *h = hold_find(k, name);
	struct lock lock;
	int r = registry_lock_load(k->api->config.registry, name, &lock);
	bool held = !r && lock_is_held(&lock);

	if (r < 0)
		return r;
	if (h && (!held || h->lock.fence != lock.fence)) {
		hold_free(h);
		h = NULL;
	}
	r = held && !h ? adopt(k, &lock) : 0;
	if (!r && !hold_find(k, name))
		serve(k, name);
	return r;
}

static int settle_held(struct lock_keeper *k)
{
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0;
	int r = registry_locks_load(k->api->config.registry, true, &locks, &n);

	for (size_t i = 0; !r && i < n; i++)
		r = settle(k, locks[i].name);
	return r;
}

/* Of locks whose row is gone, too.  A settled lock's hold is new or stays: `next` is not freed. */
static int settle_all(struct lock_keeper *k)
{
	struct hold *h, *next;
	int r = settle_held(k);

	for (h = TAILQ_FIRST(&k->holds); !r && h; h = next) {
		next = TAILQ_NEXT(h, entry);
		r = settle(k, h->lock.name);
	}
	return r;
}

/* Copies: settling answers and frees waiters. */
struct awaited {
	char names[LOCK_WAITERS_MAX][LOCK_NAME_MAX + 1];
	size_t n;
};

static void note_awaited(const struct lock *wanted, int64_t since, void *user_data)
{
	struct awaited *a = user_data;

	strcpy(a->names[a->n++], wanted->name);
}

static int settle_awaited(struct lock_keeper *k)
{
	struct awaited a = { .n = 0 };
	int r = 0;

	lock_queue_for_each(k->queue, NULL, note_awaited, &a);
	for (size_t i = 0; !r && i < a.n; i++)
		r = settle(k, a.names[i]);
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
	log_error("the locks were not brought up to date: %s", strerror(-r));
	look_again(k);
}

void lock_keeper_undone(struct lock_keeper *k)
{
	look_again(k);
}

int lock_keeper_look(struct lock_keeper *k, const char *name, struct lock *ret)
{
	int r = settle(k, name);

	return r ? r : registry_lock_load(k->api->config.registry, name, ret);
}

int lock_keeper_look_all(struct lock_keeper *k, bool held, struct lock **ret, size_t *ret_n)
{
	int r = settle_all(k);

	return r ? r : registry_locks_load(k->api->config.registry, held, ret, ret_n);
}

/* --- grants --- */

/* A grant whose answer is on its way. */
struct granting {
	struct lock_keeper *keeper;
	char name[LOCK_NAME_MAX + 1];
	int64_t fence;
	bool closes; /* the connection ends with the answer */
};

static struct hold *hold_of(const struct granting *g)
{
	struct hold *h = hold_find(g->keeper, g->name);

	return h && h->lock.fence == g->fence ? h : NULL;
}

static void on_delivery(bool taken, void *user_data)
{
	_cleanup_free_ struct granting *g = user_data;
	struct hold *h = hold_of(g);
	struct actor actor = actor_daemon();
	char details[DETAILS_SIZE];

	if (taken || !h)
		return;
	words_of_end(&h->lock, "whoever asked has left before the answer", details);
	hold_end(h, details, &actor);
}

static void on_settled(struct evhttp_connection *connection, int error, void *user_data)
{
	struct granting *g = user_data;
	struct hold *h = hold_of(g);

	if (!error) {
		lock_delivery_watch(g->keeper->deliveries, connection, g->closes, on_delivery, g);
		return;
	}
	if (h)
		hold_free(h);
	look_again(g->keeper);
	free(g);
}

static int expect_delivery(struct lock_keeper *k, struct request *r, const struct lock *lock)
{
	struct granting *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->keeper = k;
	strcpy(g->name, lock->name);
	g->fence = lock->fence;
	g->closes = r->http->major == 1 && r->http->minor == 0;
	r->settled = on_settled;
	r->settled_data = g;
	return 0;
}

static int add_answer(struct request *r, const struct lock *lock, bool existing)
{
	json_add_text(r->answer, "name", lock->name);
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

static int journal_grant(struct lock_keeper *k, const struct lock *lock)
{
	struct actor actor = actor_of(lock);
	char details[DETAILS_SIZE], ttl[32] = "";

	if (lock->ttl_s)
		duration_format_long(lock->ttl_s, ttl);
	snprintf(details, sizeof(details), "Locked by %s%s%s (fence %lld)", lock->holder,
		 *ttl ? " for " : "", ttl, (long long)lock->fence);
	return journal(k, ACTIVITY_LOCK, lock->name, details, &actor);
}

static int check_limits(const struct lock_keeper *k, struct request *r, const struct lock *lock)
{
	size_t n = 0, of_user = 0;
	struct hold *h;

	TAILQ_FOREACH(h, &k->holds, entry) {
		n++;
		of_user += h->lock.uid == lock->uid;
	}
	if (n >= LOCKS_HELD_MAX)
		return request_fail(r, OUTCOME_TOO_LARGE,
				    "%zu locks are held already, and that is the limit", n);
	if (lock_queue_has_quota(lock->uid) && of_user >= LOCKS_HELD_PER_UID)
		return request_fail(r, OUTCOME_TOO_LARGE,
				    "you hold %zu locks already, and that is the limit", of_user);
	return 0;
}

static int write_grant(struct lock_keeper *k, struct request *r, struct lock *lock)
{
	int fault = request_begin_write(r);

	if (!fault)
		fault = registry_lock_grant(k->api->config.registry, lock);
	if (!fault)
		fault = journal_grant(k, lock);
	return fault ? fault : expect_delivery(k, r, lock);
}

static int grant(struct lock_keeper *k, struct request *r, const struct lock_wish *wish)
{
	struct lock lock = wish->lock;
	struct hold *h;
	int fault = check_limits(k, r, &lock);

	if (fault)
		return fault;
	lock.acquired_at = time(NULL);
	lock.expires_at = lock.ttl_s ? lock.acquired_at + lock.ttl_s : 0;
	fault = hold_new(k, &lock, lock.ttl_s, &h);
	if (fault == -ESRCH)
		return lock_queue_refuse_ended(r, &lock);
	if (fault)
		return fault;
	fault = write_grant(k, r, &h->lock);
	if (!fault)
		return add_answer(r, &h->lock, false);
	registry_lock_release(k->api->config.registry, h->lock.name, h->lock.fence, time(NULL));
	hold_free(h);
	return fault;
}

static int renew(struct lock_keeper *k, struct request *r, struct hold *h, int64_t ttl_s)
{
	struct lock lock = h->lock;
	int fault = request_begin_write(r);

	if (ttl_s)
		lock.ttl_s = ttl_s;
	lock.expires_at = lock.ttl_s ? time(NULL) + lock.ttl_s : 0;
	if (!fault)
		fault = registry_lock_renew(k->api->config.registry, &lock);
	if (fault)
		return fault > 0 ? -EUCLEAN : fault; /* settled just now: the row is there */
	h->lock = lock;
	fault = hold_set_expiry(h, lock.ttl_s);
	return fault ? fault : add_answer(r, &lock, true);
}

/* --- the queue --- */

static int refuse_held(struct request *r, const struct lock_keeper *k, const struct lock *lock,
		       const char *behind)
{
	char words[LOCK_WORDS_SIZE];

	request_extra(r, "lock", lock_view(k, lock));
	return request_fail(r, OUTCOME_CONFLICT, "%s is %s; %s", lock->name,
			    lock_words_held(lock, time(NULL), words), behind);
}

static int on_waited_enough(struct request *r, const struct lock_wish *wish, void *user_data)
{
	const struct lock_keeper *k = user_data;
	const struct hold *h = hold_find(k, wish->lock.name);
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
	struct hold *h = hold_find(k, wish->lock.name);

	if (!h)
		*ret_result = grant(k, r, wish);
	else if (same_owner(&h->lock, &wish->lock))
		*ret_result = renew(k, r, h, wish->lock.ttl_s);
	else
		return false;
	return true;
}

static void serve(struct lock_keeper *k, const char *name)
{
	lock_queue_serve(k->queue, name, take_turn, k);
}

/* --- requests --- */

/* The fence says which grant is meant: the holder's name need not be said again. */
static int renew_only(struct lock_keeper *k, struct request *r, struct hold *h,
		      const struct lock_wish *wish)
{
	if (h && h->lock.fence == wish->renew_only && same_process(&h->lock, &wish->lock))
		return renew(k, r, h, wish->lock.ttl_s);
	return request_fail(r, OUTCOME_CONFLICT, "%s is not held with fence %lld any more",
			    wish->lock.name, (long long)wish->renew_only);
}

int lock_keeper_acquire(struct lock_keeper *k, struct request *r, const struct lock_wish *wish)
{
	const char *name = wish->lock.name;
	struct hold *h;
	int fault = settle(k, name);

	if (fault)
		return fault;
	h = hold_find(k, name);
	if (wish->renew_only)
		return renew_only(k, r, h, wish);
	if (h && same_owner(&h->lock, &wish->lock))
		return renew(k, r, h, wish->lock.ttl_s);
	if (!h)
		return grant(k, r, wish);
	if (wish->wait_s)
		return lock_queue_add(k->queue, r, wish);
	return refuse_held(r, k, &h->lock, "wait for it with --wait");
}

int lock_keeper_release(struct lock_keeper *k, struct request *r, const struct lock *lock,
			const char *details, const char *comm)
{
	struct actor actor = { r->pid, r->uid, comm };
	struct hold *h = hold_find(k, lock->name);
	int fault = request_begin_write(r);

	if (!fault)
		fault = end_lock(k, lock, details, &actor);
	if (fault)
		return fault;
	if (h)
		hold_free(h);
	serve(k, lock->name);
	return 0;
}

void lock_keeper_for_each_waiter(const struct lock_keeper *k, const char *name,
				 lock_waiter_visit visit, void *user_data)
{
	lock_queue_for_each(k->queue, name, visit, user_data);
}

/* --- lifecycle --- */

int lock_keeper_new(struct api *api, struct lock_keeper **ret)
{
	struct lock_keeper *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->api = api;
	TAILQ_INIT(&k->holds);

	k->again = evtimer_new(api->config.loop, on_again, k);
	r = k->again ? lock_deliveries_new(api->config.loop, &k->deliveries) : -ENOMEM;
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
	lock_deliveries_free(k->deliveries);
	lock_queue_free(k->queue);
	while (!TAILQ_EMPTY(&k->holds))
		hold_free(TAILQ_FIRST(&k->holds));
	if (k->again)
		event_free(k->again);
	free(k);
}
