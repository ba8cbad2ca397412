/* SPDX-License-Identifier: MIT */
/*
 * Members of answers.  Every text that came from elsewhere passes through here and leaves as valid
 * UTF-8; a text that is NULL or empty, and a number that is 0 where 0 means "not known", is null,
 * so that scripts find the same members in every answer.
 */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json_object.h>
#include <json-c/linkhash.h>

#include "base/cleanup.h"

#define JSON_TEXT_MAX_BYTES \
	8192 /* of one text in an answer: above the longest command line shown */

static inline void json_object_putp(struct json_object **o)
{
	json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_object_putp)

/*
 * Keys are string literals: they are not copied.  What is to be added to may be NULL, where there
 * was no memory for it.
 */

/*
 * There was no memory for a part of something since the last call: what is being made is not whole.
 * Whoever hands it on asks, and says so.
 */
bool json_fell_short(void);

/* Adds value, which is consumed also when memory is short; NULL adds null. */
void json_add(struct json_object *o, const char *key, struct json_object *value);
void json_add_text(struct json_object *o, const char *key, const char *text);
void json_add_int(struct json_object *o, const char *key, int64_t value);
/* 0 becomes null. */
void json_add_known(struct json_object *o, const char *key, int64_t value);
void json_add_bool(struct json_object *o, const char *key, bool value);
/* A new empty array or object, already a member of o; borrowed. */
struct json_object *json_add_array(struct json_object *o, const char *key);
struct json_object *json_add_object(struct json_object *o, const char *key);
/* The same where something is known; else the member is null, and so is what is returned. */
struct json_object *json_add_object_if(struct json_object *o, const char *key, bool known);
/* Appends value, which is consumed, to an array; NULL appends null. */
void json_append(struct json_object *array, struct json_object *value);
/* A new empty object, already an element of the array; borrowed. */
struct json_object *json_append_object(struct json_object *array);
/* Adds a reference to every member of `from`; a member that `o` has already is replaced. */
void json_merge(struct json_object *o, struct json_object *from);
/* A member of what was parsed; "", 0, false where it is not there. */
const char *json_text_of(struct json_object *o, const char *key);
int64_t json_int_of(struct json_object *o, const char *key);
bool json_bool_of(struct json_object *o, const char *key);
/* Values for json_add() and json_append(); text is UTF-8. */
struct json_object *json_int(int64_t value);
struct json_object *json_boolean(bool value);
struct json_object *json_string(const char *text);
/* A string object of any bytes; NULL for NULL and "". */
struct json_object *json_text(const char *text);
/* As decimal text: scripts read numbers as doubles, which end at 2^53. */
struct json_object *json_u64_text(uint64_t value);

#endif
