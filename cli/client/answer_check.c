/* SPDX-License-Identifier: MIT */
#include "cli/client/answer_check.h"

#include <json-c/json.h>
#include <stdint.h>
#include <string.h>

#include "base/identity.h"
#include "base/outcome.h"
#include "base/session.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"

#define LETTERS	  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	  "0123456789"
#define WORD_MAX  64 /* bytes; far above the longest name of a verdict */
#define OWNER_MAX 64 /* of a user's name behind an identity; useradd takes 32 */

static bool is_service(const char *text)
{
	const char *at = strchr(text, '@');
	char id[IDENTITY_MAX + 1];
	size_t n = at ? (size_t)(at - text) : strlen(text);

	if (n >= sizeof(id))
		return false;
	memcpy(id, text, n);
	id[n] = '\0';
	if (identity_check(id, NULL) < 0)
		return false;
	if (!at)
		return true;
	n = strspn(at + 1, LETTERS DIGITS "._-");
	return n > 0 && n <= OWNER_MAX && !at[n + 1];
}

static bool is_lock(const char *text)
{
	return lock_name_check(text, NULL) == 0;
}

static bool is_word(const char *text)
{
	size_t n = strspn(text, LETTERS DIGITS "_-");

	return n > 0 && n <= WORD_MAX && !text[n] && strchr(LETTERS, *text);
}

/* A kind is a number within bounds, or a text that the function accepts. */
static const struct {
	const char *what;
	int64_t least, most;
	bool (*accepts)(const char *text);
} kinds[] = {
	[ANSWER_PORT] = { "port", 1, UINT16_MAX, NULL },
	[ANSWER_COUNT] = { "number", 0, INT64_MAX, NULL },
	[ANSWER_FENCE] = { "fencing number", 1, INT64_MAX, NULL },
	[ANSWER_SERVICE] = { "service", 0, 0, is_service },
	[ANSWER_LOCK] = { "lock", 0, 0, is_lock },
	[ANSWER_SESSION] = { "session", 0, 0, session_ref_is_legal },
	[ANSWER_WORD] = { "word", 0, 0, is_word },
};
_Static_assert(ARRAY_SIZE(kinds) == _ANSWER_KIND_MAX, "each kind has a row");

static bool is_of_kind(struct json_object *value, enum answer_kind kind)
{
	/* a text may have a NUL byte in it, behind which anything could stand */
	if (kinds[kind].accepts)
		return json_object_is_type(value, json_type_string) &&
		       strlen(json_object_get_string(value)) ==
			       (size_t)json_object_get_string_len(value) &&
		       kinds[kind].accepts(json_object_get_string(value));
	/* json-c reads a number above INT64_MAX as that */
	return json_object_is_type(value, json_type_int) &&
	       json_object_get_int64(value) >= kinds[kind].least &&
	       json_object_get_int64(value) <= kinds[kind].most;
}

static int fail(bool json, const struct answer_rule *rule, struct json_object *value)
{
	if (!value)
		return render_fail(json, OUTCOME_FAILED, "the daemon's answer has no \"%s\"",
				   rule->key);
	return render_fail(json, OUTCOME_FAILED,
			   "the daemon's answer says \"%s\": %.100s, which is no %s", rule->key,
			   json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN),
			   kinds[rule->kind].what);
}

static int check_one(bool json, struct json_object *o, const struct answer_rule *rule)
{
	struct json_object *value = answer_member(o, rule->key);

	return is_of_kind(value, rule->kind) ? 0 : fail(json, rule, value);
}

static int check_rule(bool json, struct json_object *answer, const struct answer_rule *rule)
{
	struct json_object *list = rule->list ? answer_member(answer, rule->list) : NULL;
	int r = 0;

	if (!rule->list)
		return check_one(json, answer, rule);
	for (size_t i = 0; !r && i < answer_length(list); i++)
		r = check_one(json, answer_at(list, i), rule);
	return r;
}

int answer_check(bool json, struct json_object *answer, const struct answer_rule *rules, size_t n)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = check_rule(json, answer, &rules[i]);
	return r;
}
