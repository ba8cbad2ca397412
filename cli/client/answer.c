/* SPDX-License-Identifier: MIT */
#include "cli/client/answer.h"

#include <json-c/json.h>
#include <stdio.h>

/* More pids than this do not fit a column; `pd why` and --json list them all. */
#define PIDS_SHOWN_MAX 3

struct json_object *answer_member(struct json_object *o, const char *key)
{
	struct json_object *member;

	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, key, &member))
		return NULL;
	return member;
}

bool answer_has(struct json_object *o, const char *key)
{
	return answer_member(o, key) != NULL;
}

const char *answer_text(struct json_object *o, const char *key)
{
	struct json_object *member = answer_member(o, key);

	return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : "";
}

static int64_t number_of(struct json_object *o)
{
	if (json_object_is_type(o, json_type_int) || json_object_is_type(o, json_type_double))
		return json_object_get_int64(o);
	return 0;
}

int64_t answer_int(struct json_object *o, const char *key)
{
	return number_of(answer_member(o, key));
}

int64_t answer_item_int(struct json_object *list, size_t i)
{
	return number_of(answer_at(list, i));
}

const char *answer_item_text(struct json_object *list, size_t i)
{
	struct json_object *item = answer_at(list, i);

	return json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
}

bool answer_bool(struct json_object *o, const char *key)
{
	struct json_object *member = answer_member(o, key);

	return json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
}

size_t answer_length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

struct json_object *answer_at(struct json_object *list, size_t i)
{
	return i < answer_length(list) ? json_object_array_get_idx(list, i) : NULL;
}

const char *answer_error_message(struct json_object *answer)
{
	const char *message = answer_text(answer_member(answer, "error"), "message");

	return *message ? message : "the daemon gave no reason";
}

const char *answer_pids(struct json_object *o, const char *key, char *ret, size_t size)
{
	struct json_object *list = answer_member(o, key);
	size_t n = answer_length(list), used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < n && i < PIDS_SHOWN_MAX && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%lld", i ? "," : "",
					 (long long)answer_item_int(list, i));
	if (n > PIDS_SHOWN_MAX && used < size)
		snprintf(ret + used, size - used, ",+%zu", n - PIDS_SHOWN_MAX);
	return ret;
}

void answer_free(struct json_object *o)
{
	json_object_put(o);
}
