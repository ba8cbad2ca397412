/* SPDX-License-Identifier: MIT */
#include "coordination/lock_grants.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel_source.h"
#include "base/log.h"
#include "base/moment.h"
#include "coordination/process_watch.h"
#include "tracker/activity.h"

#define DETAILS_SIZE 512
#define WHY_SIZE     96

struct lock_grant *lock_grant_find(const struct lock_grants *grants, struct lock_key key)
{
	struct lock_grant *g;

	TAILQ_FOREACH(g, &grants->all, entry)
		if (lock_has_key(&g->lock, key))
			return g;
	return NULL;
}

int64_t lock_grant_seconds_left(const struct lock *lock)
{
	return lock->ttl_s ? lock->expires_at + 1 - time(NULL) : INT64_MAX;
}

/* --- the activity --- */

struct lock_actor lock_actor_daemon(void)
{
	return (struct lock_actor){ getpid(), geteuid(), "portdaddyd" };
}

static int write_entry(const struct lock_grants *grants, enum activity_action action,
		       const char *name, const char *details, const struct lock_actor *actor)
{
	return activity_write(grants->c->activity, &(struct activity){ .action = action,
								       .service = name,
								       .details = details,
								       .timestamp = time(NULL),
								       .pid = actor->pid,
								       .uid = actor->uid,
								       .comm = actor->comm });
}

static int write_grant_entry(const struct lock_grants *grants, const struct lock *lock)
{
	const struct lock_actor holder = { lock->process.pid, lock->uid, lock->comm };
	char details[DETAILS_SIZE], ttl[32] = "";

	if (lock->ttl_s)
		duration_format_long(lock->ttl_s, ttl);
	snprintf(details, sizeof(details), "Locked by %s%s%s%s (fence %lld)", lock->holder,
		 *ttl ? " for " : "", ttl,
		 lock->owner == LOCK_OF_MACHINE ? ", on the whole machine" : "",
		 (long long)lock->fence);
	return write_entry(grants, ACTIVITY_LOCK, lock->name, details, &holder);
}

/* --- the end of one --- */

void lock_grant_free(struct lock_grant *g)
{
	TAILQ_REMOVE(&g->grants->all, g, entry);
	quota_give_back(g->grants->c->quota, g->lock.uid, QUOTA_LOCKS_HELD, 1);
	process_watch_free(g->watch);
	if (g->expiry)
		event_free(g->expiry);
	free(g);
}

static int begin_write(const struct lock_grants *grants)
{
	int r = registry_begin(grants->c->registry);

	if (!r)
		activity_commit_due(grants->c->activity, true);
	return r;
}

int lock_grant_release(struct lock_grants *grants, const struct lock *lock, const char *details,
		       const struct lock_actor *actor)
{
	int r = begin_write(grants);

	if (!r)
		r = registry_lock_release(grants->c->registry, lock_key_of(lock), lock->fence,
					  time(NULL));
	if (r > 0) /* a person has freed it by hand already */
		return 0;
	return r ? r : write_entry(grants, ACTIVITY_UNLOCK, lock->name, details, actor);
}

static int release_because(struct lock_grants *grants, const struct lock *lock, const char *why,
			   const struct lock_actor *actor)
{
	char details[DETAILS_SIZE], age[32];

	snprintf(details, sizeof(details), "Released: %s; was held by %s for %s", why, lock->holder,
		 duration_format_short(time(NULL) - lock->acquired_at, age));
	return lock_grant_release(grants, lock, details, actor);
}

void lock_grant_end(struct lock_grant *g, const char *why, const struct lock_actor *actor)
{
	struct lock_grants *grants = g->grants;
	struct lock lock = g->lock;
	int r = release_because(grants, &lock, why, actor);

	lock_grant_free(g);
	if (!r) {
		grants->ended(lock_key_of(&lock), grants->user_data);
		return;
	}
	log_error("lock %s was not released: %s", lock.name,
		  registry_strerror(grants->c->registry, r));
	grants->failed(grants->user_data);
}

static void end_with_process(struct lock_grant *g)
{
	const struct lock lock = g->lock;
	const struct lock_actor holder = { lock.process.pid, lock.uid, lock.comm };
	char why[WHY_SIZE];

	snprintf(why, sizeof(why), "%s (pid %d) has ended", lock.comm, lock.process.pid);
	lock_grant_end(g, why, &holder);
}

static void on_process_gone(const struct process_id *id, void *user_data);

/* Watches the process that its lock says, or none.  0; -ESRCH when it has ended; -ENOMEM. */
static int watch_process(struct lock_grant *g)
{
	const struct lock *lock = &g->lock;

	return lock->by_time ? 0
			     : process_watch_new(g->grants->c->processes, &lock->process, lock->uid,
						 on_process_gone, g, &g->watch);
}

static int write_passing(const struct lock_grants *grants, const struct lock *from,
			 const struct lock *to)
{
	const struct lock_actor holder = { from->process.pid, from->uid, from->comm };
	char details[DETAILS_SIZE], whose[WHY_SIZE] = "its time";

	if (!to->by_time)
		snprintf(whose, sizeof(whose), "%s (pid %d)", to->comm, to->process.pid);
	snprintf(details, sizeof(details), "Left to %s: %s (pid %d), which took it, has ended",
		 whose, from->comm, from->process.pid);
	return write_entry(grants, ACTIVITY_LOCK, from->name, details, &holder);
}

/*
 * The process was one of a single command, and whoever had it run the command goes on to rely on
 * the lock.  False where it is not to be passed on, or cannot be: then it ends.
 */
static bool pass_on(struct lock_grant *g)
{
	struct lock_grants *grants = g->grants;
	struct lock lock = g->lock;

	if (!lock.short_lived || time(NULL) - lock.acquired_at > LOCK_SHORT_LIVED_S ||
	    (!lock.successor.pid && !lock.ttl_s))
		return false;
	lock.short_lived = false;
	lock.process = lock.successor;
	lock.by_time = !lock.process.pid;
	strcpy(lock.comm, lock.successor_comm);
	if (begin_write(grants) || registry_lock_renew(grants->c->registry, &lock) ||
	    write_passing(grants, &g->lock, &lock))
		return false;
	process_watch_free(TAKE_PTR(g->watch));
	g->lock = lock;
	/* whoever comes next has ended as well: the end of the lock says so */
	return !watch_process(g);
}

static void on_process_gone(const struct process_id *id, void *user_data)
{
	struct lock_grant *g = user_data;

	if (!lock_grant_run_lives(g)) {
		if (!pass_on(g))
			end_with_process(g);
		return;
	}
	process_watch_free(TAKE_PTR(g->watch));
	log_info("lock %s is kept: %s (pid %d) has ended, and what it started has not",
		 g->lock.name, g->lock.comm, id->pid);
	/* should the end of the run not be told, the retry finds it */
	g->grants->failed(g->grants->user_data);
}

/* --- its run --- */

int lock_grant_follow_run(struct lock_grant *g, uint64_t run)
{
	const struct kernel_source *kernel = g->grants->c->kernel;
	int r = kernel->begin_run ? kernel->begin_run(kernel->user_data, run, &g->lock.process)
				  : -EOPNOTSUPP;

	if (!r)
		g->run = run;
	return r;
}

bool lock_grant_run_lives(const struct lock_grant *g)
{
	const struct kernel_source *kernel = g->grants->c->kernel;

	return g->run && kernel->run_lives(kernel->user_data, g->run);
}

bool lock_grant_is_left(const struct lock_grant *g)
{
	return !g->watch && !g->lock.by_time;
}

void lock_grant_end_with_run(struct lock_grant *g)
{
	const struct lock_actor holder = { g->lock.process.pid, g->lock.uid, g->lock.comm };

	if (lock_grant_is_left(g))
		lock_grant_end(g, "the last process of its command has ended", &holder);
	else
		end_with_process(g);
}

static void on_expiry(evutil_socket_t fd, short what, void *user_data)
{
	struct lock_grant *g = user_data;
	const struct lock_actor actor = lock_actor_daemon();
	char why[WHY_SIZE], ttl[32];

	snprintf(why, sizeof(why), "its time of %s is over",
		 duration_format_long(g->lock.ttl_s, ttl));
	lock_grant_end(g, why, &actor);
}

/* --- the begin of one --- */

/* As its ttl_s says: in so many seconds, or never.  0, -ENOMEM. */
static int set_expiry(struct lock_grant *g, int64_t in_s)
{
	const struct timeval wait = { .tv_sec = in_s };

	if (!g->lock.ttl_s)
		return g->expiry ? event_del(g->expiry) : 0;
	if (!g->expiry)
		g->expiry = evtimer_new(g->grants->c->loop, on_expiry, g);
	return g->expiry && !event_add(g->expiry, &wait) ? 0 : -ENOMEM;
}

/* 0; -ESRCH when its process has ended; -ENOMEM. */
static int grant_new(struct lock_grants *grants, const struct lock *lock, int64_t expires_in_s,
		     struct lock_grant **ret)
{
	struct lock_grant *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	/* who wanted it was judged before; a row that is there already is not to be refused */
	r = quota_charge_existing(grants->c->quota, lock->uid, QUOTA_LOCKS_HELD, 1);
	if (r) {
		free(g);
		return r;
	}
	g->grants = grants;
	g->lock = *lock;
	TAILQ_INSERT_TAIL(&grants->all, g, entry);
	r = watch_process(g);
	r = r ?: set_expiry(g, expires_in_s);
	if (r) {
		lock_grant_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

int lock_grant_adopt(struct lock_grants *grants, const struct lock *lock)
{
	const struct lock_actor actor = lock_actor_daemon();
	int64_t left = lock_grant_seconds_left(lock);
	struct lock_grant *g;
	int r;

	if (left <= 0)
		return release_because(grants, lock, "its time is over", &actor);
	r = grant_new(grants, lock, left, &g);
	return r == -ESRCH ? release_because(grants, lock, "its process has ended", &actor) : r;
}

/* The new row and its fencing number. */
static int write_grant(struct lock_grant *g)
{
	int r = begin_write(g->grants);

	r = r ?: registry_lock_grant(g->grants->c->registry, &g->lock);
	return r ? r : write_grant_entry(g->grants, &g->lock);
}

int lock_grant_give(struct lock_grants *grants, const struct lock *wanted, struct lock_answer *ret)
{
	int r = quota_check(grants->c->quota, wanted->uid, QUOTA_LOCKS_HELD, 1);
	struct lock lock = *wanted;
	struct lock_grant *g;

	*ret = (struct lock_answer){ .lock = *wanted, .limit = QUOTA_LOCKS_HELD };
	if (r) {
		ret->excess = (enum quota_outcome)r;
		return LOCK_LIMIT;
	}
	lock.acquired_at = time(NULL);
	lock.expires_at = lock.ttl_s ? lock.acquired_at + lock.ttl_s : 0;
	r = grant_new(grants, &lock, lock.ttl_s, &g);
	if (r)
		return r == -ESRCH ? LOCK_PROCESS_ENDED : r;
	r = write_grant(g);
	if (r) {
		registry_lock_release(grants->c->registry, lock_key_of(&g->lock), g->lock.fence,
				      time(NULL));
		lock_grant_free(g);
		return r;
	}
	ret->lock = g->lock;
	return LOCK_GRANTED;
}

int lock_grant_renew(struct lock_grant *g, int64_t ttl_s, struct lock_answer *ret)
{
	struct lock lock = g->lock;
	int r = begin_write(g->grants);

	if (ttl_s)
		lock.ttl_s = ttl_s;
	lock.expires_at = lock.ttl_s ? time(NULL) + lock.ttl_s : 0;
	r = r ?: registry_lock_renew(g->grants->c->registry, &lock);
	if (r)
		return r > 0 ? -EUCLEAN : r; /* settled just now: the row is there */
	g->lock = lock;
	*ret = (struct lock_answer){ .lock = lock };
	r = set_expiry(g, lock.ttl_s);
	return r ? r : LOCK_RENEWED;
}
