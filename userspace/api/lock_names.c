/* SPDX-License-Identifier: MIT */
#include "api/lock_names.h"

#include <stdlib.h>
#include <string.h>

#include "api/state.h"
#include "base/cleanup.h"
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
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0;
	int fault = locks_look_all(r->api->locks, true, &locks, &n);

	*ret = (struct lock_namesakes){ 0 };
	for (size_t i = 0; !fault && i < n; i++) {
		if (strcmp(locks[i].name, key.name) != 0 || locks[i].owner == key.owner)
			continue;
		if (locks[i].owner == LOCK_OF_MACHINE)
			ret->machine = locks[i];
		else if (!ret->n_others++)
			ret->other = locks[i];
	}
	return fault;
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
