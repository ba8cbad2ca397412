/* SPDX-License-Identifier: MIT */
#include "api/lock_names.h"

#include "api/state.h"
#include "base/user.h"
#include "coordination/locks.h"
#include "http/request.h"

int lock_name_owner(struct request *r, bool machine, const char *user, uid_t *ret)
{
	*ret = machine ? LOCK_OF_MACHINE : r->uid;
	if (!user)
		return 0;
	if (machine)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"machine\" and \"user\" exclude each other: the machine's "
				    "lock is everybody's");
	if (!user_find(user, ret))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"there is no user \"%.64s\"; write a name or a number that id(1) "
			"knows",
			user);
	return 0;
}

int lock_namesakes_find(struct request *r, struct lock_key key, struct lock_namesakes *ret)
{
	return locks_find_namesakes(r->api->locks, key, ret);
}

int lock_namesakes_fail(struct request *r, const struct lock_namesakes *others,
			const char *sentence)
{
	if (lock_is_held(&others->machine))
		return request_fail(r, OUTCOME_NO,
				    "%s; the machine's lock of that name is held: --machine",
				    sentence);
	if (others->n_others)
		return request_fail(r, OUTCOME_NO, "%s; user %s has one of that name: --user %s",
				    sentence, user_name(others->other.owner),
				    user_name(others->other.owner));
	return request_fail(r, OUTCOME_NO, "%s", sentence);
}
