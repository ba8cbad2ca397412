/* SPDX-License-Identifier: MIT */
#include "api/lock_journal.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "api/server.h"
#include "base/moment.h"
#include "tracker/activity.h"

struct lock_actor lock_actor_of(const struct lock *lock)
{
	return (struct lock_actor){ lock->process.pid, lock->uid, lock->comm };
}

struct lock_actor lock_actor_daemon(void)
{
	return (struct lock_actor){ getpid(), geteuid(), "portdaddyd" };
}

int lock_journal_add(struct api *api, enum activity_action action, const char *name,
		     const char *details, const struct lock_actor *actor)
{
	return activity_write(tracker_activity(api->config.tracker),
			      &(struct activity){ .action = action,
						  .service = name,
						  .details = details,
						  .timestamp = time(NULL),
						  .pid = actor->pid,
						  .uid = actor->uid,
						  .comm = actor->comm });
}

int lock_journal_grant(struct api *api, const struct lock *lock)
{
	struct lock_actor actor = lock_actor_of(lock);
	char details[LOCK_DETAILS_SIZE], ttl[32] = "";

	if (lock->ttl_s)
		duration_format_long(lock->ttl_s, ttl);
	snprintf(details, sizeof(details), "Locked by %s%s%s%s (fence %lld)", lock->holder,
		 *ttl ? " for " : "", ttl,
		 lock->owner == LOCK_OF_MACHINE ? ", on the whole machine" : "",
		 (long long)lock->fence);
	return lock_journal_add(api, ACTIVITY_LOCK, lock->name, details, &actor);
}

void lock_journal_words_of_end(const struct lock *lock, const char *why, char *ret)
{
	char age[32];

	snprintf(ret, LOCK_DETAILS_SIZE, "Released: %s; was held by %s for %s", why, lock->holder,
		 duration_format_short(time(NULL) - lock->acquired_at, age));
}
