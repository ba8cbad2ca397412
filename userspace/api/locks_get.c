/* SPDX-License-Identifier: MIT */
/* GET /v1/locks: all of them, or the one of a name. */
#include <stdio.h>
#include <string.h>

#include "api/lock_names.h"
#include "api/lock_view.h"
#include "api/routes.h"
#include "api/state.h"
#include "coordination/locks.h"

static int param_machine(struct request *r, bool *ret)
{
	const char *text = request_param(r, "machine");

	*ret = text != NULL;
	if (text && strcmp(text, "1") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "machine \"%.16s\" cannot be read; write machine=1", text);
	return 0;
}

static int show_one(struct request *r, const char *name, struct json_object *list)
{
	char sentence[LOCK_NAME_MAX + sizeof("there is no lock ")];
	bool machine = false;
	struct lock_namesakes others;
	struct lock lock;
	uid_t owner = r->uid;
	int fault = lock_name_parse(r, name);

	if (!fault)
		fault = param_machine(r, &machine);
	if (!fault)
		fault = lock_name_owner(r, machine, request_param(r, "user"), &owner);
	if (fault)
		return fault;
	fault = locks_look(r->api->locks, lock_key_make(name, owner), &lock);
	if (!fault)
		json_append(list, lock_view(r->api->locks, &lock, r->uid));
	if (fault != OUTCOME_NO)
		return fault;
	fault = lock_namesakes_find(r, lock_key_make(name, owner), &others);
	snprintf(sentence, sizeof(sentence), "there is no lock %s", name);
	return fault ? fault : lock_namesakes_fail(r, &others, sentence);
}

/* One's own and the machine's first, which a program may take by their names, then the others'. */
static bool comes_first(const struct lock *lock, uid_t viewer)
{
	return lock->owner == viewer || lock->owner == LOCK_OF_MACHINE;
}

int locks_get(struct request *r)
{
	struct json_object *list = json_add_array(r->answer, "locks");
	const char *name = request_param(r, "name");
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0;
	int fault;

	if (name)
		return show_one(r, name, list);
	if (request_param(r, "machine") || request_param(r, "user"))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"machine\" and \"user\" say whose name it is: add name=");
	fault = locks_look_all(r->api->locks, false, &locks, &n);
	for (int first = 1; !fault && first >= 0; first--)
		for (size_t i = 0; i < n; i++)
			if (comes_first(&locks[i], r->uid) == first)
				json_append(list, lock_view(r->api->locks, &locks[i], r->uid));
	return fault;
}
