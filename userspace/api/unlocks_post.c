/* SPDX-License-Identifier: MIT */
/* POST /v1/unlocks: gives a lock up, or takes it away from whoever has it: pd unlock. */
#include <stdio.h>

#include "api/lock_request.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/moment.h"
#include "base/user.h"
#include "coordination/locks.h"
#include "view/coordination.h"

#define DETAILS_SIZE 512

struct unlock {
	const char *name, *user; /* user: NULL = none was named */
	bool machine, force;
	int64_t fence; /* only this grant; 0 = any */
	struct lock_asker asker;

	struct lock_key key;
};

ROUTE(unlocks_post, POST, "/v1/unlocks", struct unlock,
      PARAM_LOCK_NAME(struct unlock, name, .missing = LOCK_NAME_IS_MISSING),
      PARAM_LOCK_ASKER(struct unlock, asker), PARAM_BOOL("force", struct unlock, force),
      PARAM_COUNT("fence", struct unlock, fence), PARAM_BOOL("machine", struct unlock, machine),
      PARAM_TEXT("user", struct unlock, user));

static int find_who_and_what(struct request *r, struct unlock *u)
{
	uid_t owner;
	int fault = lock_request_owner(r, u->machine, u->user, &owner);

	if (fault)
		return fault;
	u->key = lock_key_make(u->name, owner);
	return lock_request_asker(r, &u->asker);
}

static int check_allowed(struct request *r, const struct unlock *u, const struct lock *lock)
{
	char words[LOCK_WORDS_SIZE];

	if (lock_asker_has(&u->asker, lock))
		return 0;
	request_extra(r, "lock", view_lock(r->api->locks, lock, request_user(r)));
	if (lock->uid != r->uid && r->uid != 0)
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: only they or root may unlock it",
				    lock->name, user_name(lock->uid));
	if (u->force)
		return 0;
	return request_fail(r, OUTCOME_NOT_ALLOWED, "%s is %s%s; take it away with --force",
			    lock->name, lock_words_held(lock, r->now, words),
			    lock->uid == r->uid ? ", which is not what you unlock it from" : "");
}

static int release(struct request *r, const struct unlock *u, const struct lock *lock)
{
	const struct lock_actor actor = { r->pid, r->uid, u->asker.peer.comm };
	char details[DETAILS_SIZE], age[32];
	bool own = lock_asker_has(&u->asker, lock);
	int fault;

	duration_format_short(r->now - lock->acquired_at, age);
	if (own)
		snprintf(details, sizeof(details), "Unlocked by %s after %s", lock->holder, age);
	else
		snprintf(details, sizeof(details), "Taken from %s after %s by %s, with --force",
			 lock->holder, age, u->asker.name);
	json_add_text(r->answer, "name", lock->name);
	json_add_text(r->answer, "holder", lock->holder);
	json_add_int(r->answer, "fence", lock->fence);
	json_add_bool(r->answer, "forced", !own);
	fault = request_begin_write(r);
	return fault ? fault : locks_release(r->api->locks, lock, details, &actor);
}

/*
 * Where the caller has no such lock, and has not said whose is meant, another user's is: for root
 * to take away, for everybody else to be told about.
 */
static int find_of_another(struct request *r, const struct unlock *u, struct lock *ret)
{
	struct lock_namesakes others;
	char sentence[LOCK_NAME_MAX + sizeof(" is not held")];
	int fault = locks_find_namesakes(r->api->locks, u->key, &others);

	if (fault)
		return fault;
	snprintf(sentence, sizeof(sentence), "%s is not held", u->key.name);
	/* where no owner was named root's search goes on where root has none */
	if (u->machine || u->user || !others.n_others)
		return lock_request_fail(r, u->key, &others, sentence);
	if (r->uid == 0 && others.n_others > 1)
		return request_fail(r, OUTCOME_CONFLICT,
				    "%zu users hold a lock %s; say whose is meant: --user %s",
				    others.n_others, u->key.name, user_name(others.other.owner));
	*ret = others.other;
	return 0;
}

static int handle(struct request *r)
{
	struct unlock *u = r->params;
	struct lock lock;
	int fault = find_who_and_what(r, u);

	if (fault)
		return fault;
	fault = locks_look(r->api->locks, u->key, &lock);
	if (fault < 0)
		return fault;
	if (fault == OUTCOME_NO || !lock_is_held(&lock))
		fault = find_of_another(r, u, &lock);
	if (fault)
		return fault;
	if (u->fence && u->fence != lock.fence)
		return request_fail(r, OUTCOME_NO, "%s is not held with fence %lld any more",
				    lock.name, (long long)u->fence);
	fault = check_allowed(r, u, &lock);
	return fault ? fault : release(r, u, &lock);
}
