/* SPDX-License-Identifier: MIT */
/* POST /v1/unlocks: gives a lock up, or takes it away from whoever has it. */
#include <stdio.h>
#include <string.h>

#include "api/lock_asker.h"
#include "api/lock_names.h"
#include "api/lock_view.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/moment.h"
#include "base/user.h"
#include "coordination/locks.h"
#include "reconcile/belongs.h"

#define DETAILS_SIZE 512

struct unlock {
	struct lock_key key;
	bool of_whoever; /* no owner was named: root's search goes on where root has none */
	bool force;
	int64_t fence; /* only this grant; 0 = any */
	struct lock_asker asker;
	char holder[LOCK_HOLDER_MAX + 1];
};

static int parse_key(struct request *r, struct unlock *u)
{
	const char *name, *user;
	bool machine = false;
	uid_t owner = r->uid;
	int fault = request_member_text(r, "name", &name);

	if (!fault)
		fault = lock_name_parse(r, name);
	if (!fault)
		fault = request_member_bool(r, "machine", &machine);
	if (!fault)
		fault = request_member_text(r, "user", &user);
	if (!fault)
		fault = lock_name_owner(r, machine, user, &owner);
	if (fault)
		return fault;
	u->key = lock_key_make(name, owner);
	u->of_whoever = !machine && !user;
	return 0;
}

static int parse_unlock(struct request *r, struct unlock *u)
{
	int fault = parse_key(r, u);

	if (!fault)
		fault = request_member_bool(r, "force", &u->force);
	if (!fault)
		fault = request_member_count(r, "fence", &u->fence);
	if (!fault)
		fault = lock_asker_parse(r, &u->asker);
	return fault ? fault : lock_asker_holder(r, &u->asker, u->holder);
}

/*
 * Who names a holder means that one.  Else the process that holds the lock speaks for it, whoever
 * it has started, and whoever works on behalf of its holder.
 */
static bool is_own(const struct request *r, const struct unlock *u, const struct lock *lock)
{
	const struct lock_asker *a = &u->asker;

	if (lock->uid != r->uid)
		return false;
	if (a->holder)
		return strcmp(lock->holder, a->holder) == 0;
	return belongs_generation(&a->peer, &lock->process) >= 0 ||
	       (a->on_behalf && strcmp(lock->holder, a->on_behalf) == 0);
}

static int check_allowed(struct request *r, const struct unlock *u, const struct lock *lock)
{
	char words[LOCK_WORDS_SIZE];

	if (is_own(r, u, lock))
		return 0;
	request_extra(r, "lock", lock_view(r->api->locks, lock, r->uid));
	if (lock->uid != r->uid && r->uid != 0)
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: only they or root may unlock it",
				    lock->name, user_name(lock->uid));
	if (u->force)
		return 0;
	return request_fail(r, OUTCOME_NOT_ALLOWED,
			    "%s is %s, and not by you; take it away with --force", lock->name,
			    lock_words_held(lock, r->now, words));
}

static int release(struct request *r, const struct unlock *u, const struct lock *lock)
{
	const struct lock_actor actor = { r->pid, r->uid, u->asker.peer.comm };
	char details[DETAILS_SIZE], age[32];
	bool own = is_own(r, u, lock);
	int fault;

	duration_format_short(r->now - lock->acquired_at, age);
	if (own)
		snprintf(details, sizeof(details), "Unlocked by %s after %s", lock->holder, age);
	else
		snprintf(details, sizeof(details), "Taken from %s after %s by %s, with --force",
			 lock->holder, age, u->holder);
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
	int fault = lock_namesakes_find(r, u->key, &others);

	if (fault)
		return fault;
	snprintf(sentence, sizeof(sentence), "%s is not held", u->key.name);
	if (!u->of_whoever || !others.n_others)
		return lock_namesakes_fail(r, &others, sentence);
	if (r->uid == 0 && others.n_others > 1)
		return request_fail(r, OUTCOME_CONFLICT,
				    "%zu users hold a lock %s; say whose is meant: --user %s",
				    others.n_others, u->key.name, user_name(others.other.owner));
	*ret = others.other;
	return 0;
}

int unlocks_post(struct request *r)
{
	struct unlock u = { 0 };
	struct lock lock;
	int fault = parse_unlock(r, &u);

	if (fault)
		return fault;
	fault = locks_look(r->api->locks, u.key, &lock);
	if (fault < 0)
		return fault;
	if (fault == OUTCOME_NO || !lock_is_held(&lock))
		fault = find_of_another(r, &u, &lock);
	if (fault)
		return fault;
	if (u.fence && u.fence != lock.fence)
		return request_fail(r, OUTCOME_NO, "%s is not held with fence %lld any more",
				    lock.name, (long long)u.fence);
	fault = check_allowed(r, &u, &lock);
	return fault ? fault : release(r, &u, &lock);
}
