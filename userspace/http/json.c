/* SPDX-License-Identifier: MIT */
#include "http/json.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

static bool short_of_memory;

bool json_fell_short(void)
{
	bool fell_short = short_of_memory;

	short_of_memory = false;
	return fell_short;
}

/* What json-c has made; it asserts that what is added to is there. */
static struct json_object *made(struct json_object *o)
{
	if (!o)
		short_of_memory = true;
	return o;
}

/* The value, which is o's now; NULL where it was none, or is gone for want of memory. */
static struct json_object *add(struct json_object *o, const char *key, struct json_object *value)
{
	if (o && !json_object_object_add_ex(o, key, value, JSON_C_OBJECT_ADD_CONSTANT_KEY))
		return value;
	short_of_memory = true;
	json_object_put(value);
	return NULL;
}

void json_add(struct json_object *o, const char *key, struct json_object *value)
{
	add(o, key, value);
}

struct json_object *json_int(int64_t value)
{
	return made(json_object_new_int64(value));
}

struct json_object *json_boolean(bool value)
{
	return made(json_object_new_boolean(value));
}

struct json_object *json_string(const char *text)
{
	return made(json_object_new_string(text));
}

struct json_object *json_text(const char *text)
{
	char clean[JSON_TEXT_MAX_BYTES];

	if (!text || !*text)
		return NULL;
	return json_string(text_to_utf8(text, clean, sizeof(clean)));
}

struct json_object *json_u64_text(uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	return json_string(digits);
}

void json_add_text(struct json_object *o, const char *key, const char *text)
{
	json_add(o, key, json_text(text));
}

void json_add_int(struct json_object *o, const char *key, int64_t value)
{
	json_add(o, key, json_int(value));
}

void json_add_known(struct json_object *o, const char *key, int64_t value)
{
	json_add(o, key, value ? json_int(value) : NULL);
}

void json_add_bool(struct json_object *o, const char *key, bool value)
{
	json_add(o, key, json_boolean(value));
}

struct json_object *json_add_array(struct json_object *o, const char *key)
{
	return add(o, key, made(json_object_new_array()));
}

struct json_object *json_add_object(struct json_object *o, const char *key)
{
	return add(o, key, made(json_object_new_object()));
}

struct json_object *json_add_object_if(struct json_object *o, const char *key, bool known)
{
	if (known)
		return json_add_object(o, key);
	json_add(o, key, NULL);
	return NULL;
}

static struct json_object *append(struct json_object *array, struct json_object *value)
{
	if (array && !json_object_array_add(array, value))
		return value;
	short_of_memory = true;
	json_object_put(value);
	return NULL;
}

void json_append(struct json_object *array, struct json_object *value)
{
	append(array, value);
}

struct json_object *json_append_object(struct json_object *array)
{
	return append(array, made(json_object_new_object()));
}

void json_merge(struct json_object *o, struct json_object *from)
{
	if (!o)
		return;
	json_object_object_foreach(from, key, value) {
		/* the key is copied here: it belongs to `from` */
		if (!json_object_object_add(o, key, json_object_get(value)))
			continue;
		short_of_memory = true;
		json_object_put(value);
	}
}

const char *json_text_of(struct json_object *o, const char *key)
{
	struct json_object *member = json_object_object_get(o, key);

	return member ? json_object_get_string(member) : "";
}

int64_t json_int_of(struct json_object *o, const char *key)
{
	return json_object_get_int64(json_object_object_get(o, key));
}

bool json_bool_of(struct json_object *o, const char *key)
{
	return json_object_get_boolean(json_object_object_get(o, key));
}
