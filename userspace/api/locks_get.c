/* SPDX-License-Identifier: MIT */
/* GET /v1/locks: all of them, or the one of a name: pd locks, pd lock --status. */
#include <stdio.h>

#include "api/lock_request.h"
#include "api/routes.h"
#include "api/state.h"
#include "coordination/locks.h"
#include "view/coordination.h"

struct question {
	const char *name; /* NULL = all */
	bool machine;
	const char *user; /* NULL = the caller */
};

ROUTE(locks_get, GET, "/v1/locks", struct question, PARAM_LOCK_NAME(struct question, name),
      PARAM_ONE("machine", struct question, machine), PARAM_TEXT("user", struct question, user));

static int show_one(struct request *r, const struct question *q, struct json_object *list)
{
	char sentence[LOCK_NAME_MAX + sizeof("there is no lock ")];
	struct lock_namesakes others;
	struct lock_key key;
	struct lock lock;
	uid_t owner;
	int fault = lock_request_owner(r, q->machine, q->user, &owner);

	if (fault)
		return fault;
	key = lock_key_make(q->name, owner);
	fault = locks_look(r->api->locks, key, &lock);
	if (!fault)
		json_append(list, view_lock(r->api->locks, &lock, request_user(r)));
	if (fault != OUTCOME_NO)
		return fault;
	fault = locks_find_namesakes(r->api->locks, key, &others);
	snprintf(sentence, sizeof(sentence), "there is no lock %s", q->name);
	return fault ? fault : lock_request_fail(r, key, &others, sentence);
}

static int handle(struct request *r)
{
	struct json_object *list = json_add_array(r->answer, "locks");
	const struct question *q = r->params;
	_cleanup_free_ struct lock *locks = NULL;
	uid_t user = request_user(r);
	size_t n = 0;
	int fault;

	if (q->name)
		return show_one(r, q, list);
	if (q->machine || q->user)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"machine\" and \"user\" say whose name it is: add name=");
	fault = locks_look_all(r->api->locks, false, &locks, &n);
	/* one's own and the machine's first, which a program may take by their names */
	for (int first = 1; !fault && first >= 0; first--)
		for (size_t i = 0; i < n; i++)
			if ((locks[i].owner == user || locks[i].owner == LOCK_OF_MACHINE) ==
				    first &&
			    !lock_has_aged_out(&locks[i], r->now))
				json_append(list, view_lock(r->api->locks, &locks[i], user));
	return fault;
}
