/* SPDX-License-Identifier: MIT */
#include "api/lock_view.h"

#include "base/user.h"
#include "coordination/locks.h"
#include "http/json.h"

static void add_waiter(const struct lock *wanted, int64_t since, void *user_data)
{
	struct json_object *o = json_append_object(user_data);

	json_add_text(o, "holder", wanted->holder);
	json_add_int(o, "pid", wanted->process.pid);
	json_add_text(o, "process", wanted->comm);
	json_add_text(o, "user", user_name(wanted->uid));
	json_add_int(o, "since", since);
}

struct json_object *lock_view(const struct locks *locks, const struct lock *lock, uid_t viewer)
{
	struct json_object *o = json_object_new_object();
	bool held = lock_is_held(lock);

	json_add_text(o, "name", lock->name);
	json_add_text(o, "owner", user_name(lock->owner)); /* of the machine's there is none */
	json_add_bool(o, "machine", lock->owner == LOCK_OF_MACHINE);
	json_add_bool(o, "own", lock->owner == viewer);
	json_add_bool(o, "held", held);
	json_add_text(o, "holder", lock->holder);
	json_add_known(o, "pid", held ? lock->process.pid : 0);
	json_add_text(o, "process", held ? lock->comm : NULL);
	json_add_text(o, "user", held ? user_name(lock->uid) : NULL);
	json_add_known(o, "acquiredAt", held ? lock->acquired_at : 0);
	json_add_known(o, "ttl", held ? lock->ttl_s : 0);
	json_add_known(o, "expiresAt", held ? lock->expires_at : 0);
	json_add_known(o, "fence", held ? lock->fence : 0);
	json_add_known(o, "releasedAt", lock->released_at);
	locks_for_each_waiter(locks, lock_key_of(lock), add_waiter, json_add_array(o, "waiters"));
	return o;
}
