/* SPDX-License-Identifier: MIT */
#include "api/lock_request.h"

#include <stdio.h>
#include <string.h>

#include "api/state.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "base/user.h"
#include "coordination/locks.h"

int lock_owner_read(struct request *r, const struct param *p, const struct param_value *value,
		    void *ret)
{
	*(bool *)ret = strcmp(value->text, "parent") == 0;
	if (*(bool *)ret || strcmp(value->text, "caller") == 0)
		return 0;
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "%s \"%.32s\" is neither \"caller\" nor \"parent\"", p->name,
			    value->text);
}

int lock_holder_read(struct request *r, const struct param *p, const struct param_value *value,
		     void *ret)
{
	const char *text = value->text;

	if (!*text || strlen(text) > LOCK_HOLDER_MAX)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "a holder's name has 1 to %d bytes; write one like myapp:web",
				    LOCK_HOLDER_MAX);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "a holder's name has no control characters; write one "
					    "like myapp:web");
	*(const char **)ret = text;
	return 0;
}

int lock_request_owner(struct request *r, bool machine, const char *user, uid_t *ret)
{
	*ret = machine ? LOCK_OF_MACHINE : request_user(r);
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

int lock_request_asker(struct request *r, struct lock_asker *a)
{
	int result;

	a->uid = r->uid;
	result = lock_asker_find(a, r->api->config.registry, r->pid);
	if (result == LOCK_ASKER_UNSEEN)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "the daemon does not see your process (it lives in another pid "
				    "namespace, or has ended): nobody would hold the lock");
	if (result == LOCK_ASKER_PARENT_ENDED)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "whoever ran pd has ended: nobody would hold the lock");
	return result;
}

/* One's own that is held and may have been meant; "" = none is near. */
static int find_near(struct request *r, struct lock_key key, char ret[static LOCK_NAME_MAX + 1])
{
	_cleanup_free_ struct lock *locks = NULL;
	const char *near = NULL;
	size_t n = 0;
	int fault = locks_look_all(r->api->locks, true, &locks, &n);

	for (size_t i = 0; !fault && i < n; i++)
		if (locks[i].owner == key.owner)
			near = text_nearer(key.name, near, locks[i].name);
	snprintf(ret, LOCK_NAME_MAX + 1, "%s", near ? near : "");
	return fault;
}

int lock_request_fail(struct request *r, struct lock_key key, const struct lock_namesakes *others,
		      const char *sentence)
{
	char near[LOCK_NAME_MAX + 1];
	int fault;

	if (lock_is_held(&others->machine))
		return request_fail(r, OUTCOME_NO,
				    "%s; the machine's lock of that name is held: --machine",
				    sentence);
	if (others->n_others)
		return request_fail(r, OUTCOME_NO, "%s; user %s has one of that name: --user %s",
				    sentence, user_name(others->other.owner),
				    user_name(others->other.owner));
	fault = find_near(r, key, near);
	return fault ? fault
		     : request_fail(r, OUTCOME_NO, "%s%s%s%s", sentence,
				    *near ? "; did you mean " : "", near, *near ? "?" : "");
}
