/* SPDX-License-Identifier: MIT */
#include "cli/client/rows.h"

#include <json-c/json.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/client/answer.h"

#define JSON_DEPTH_MAX 32 /* the deepest answer, `why`, has six levels */

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free);

static struct json_tokener *tokener_new(void)
{
	/* The keys are our own daemon's: nobody picks them so that they collide. */
	json_global_set_string_hash(JSON_C_STR_HASH_PERLLIKE);
	return json_tokener_new_ex(JSON_DEPTH_MAX);
}

bool rows_is_finite(struct json_object *o)
{
	enum json_type type = json_object_get_type(o);

	if (type == json_type_double)
		return isfinite(json_object_get_double(o));
	if (type == json_type_array)
		for (size_t i = 0; i < json_object_array_length(o); i++)
			if (!rows_is_finite(json_object_array_get_idx(o, i)))
				return false;
	if (type == json_type_object) {
		struct json_object_iter member;

		json_object_object_foreachC(o, member)
			if (!rows_is_finite(member.val))
				return false;
	}
	return true;
}

struct json_object *rows_parse_whole(const char *text, size_t n)
{
	_cleanup_(json_tokener_freep) struct json_tokener *t = tokener_new();
	_cleanup_(answer_freep) struct json_object *o = NULL;
	size_t end;

	/* What passes is printed again, as JSON with -j; json-c's own check lets overlong forms
	 * pass. */
	if (!t || !text_is_utf8(text, n))
		return NULL;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(t, text, (int)n);
	end = json_tokener_get_parse_end(t);
	if (!o || json_tokener_get_error(t) != json_tokener_success ||
	    strspn(text + end, " \t\r\n") != n - end || !rows_is_finite(o))
		return NULL;
	return TAKE_PTR(o);
}

/* What is left of it to be read. */
struct reader {
	struct json_tokener *tokener;
	const char *at, *end;
	rows_each each;
	void *user_data;
};

static void skip_spaces(struct reader *r)
{
	r->at += strspn(r->at, " \t\r\n"); /* a NUL stands behind the answer */
}

/* Goes over spaces, and over `c` where that comes next: true. */
static bool read_sign(struct reader *r, char c)
{
	skip_spaces(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* One value; false when there is none. */
static bool read_value(struct reader *r, struct json_object **ret)
{
	json_tokener_reset(r->tokener);
	*ret = json_tokener_parse_ex(r->tokener, r->at, (int)(r->end - r->at));
	if (json_tokener_get_error(r->tokener) != json_tokener_success)
		return false;
	if (!rows_is_finite(*ret)) {
		json_object_put(*ret);
		*ret = NULL;
		return false;
	}
	r->at += json_tokener_get_parse_end(r->tokener);
	return true;
}

static bool read_list(struct reader *r, const char *list)
{
	bool more = !read_sign(r, ']');

	while (more) {
		_cleanup_(answer_freep) struct json_object *row = NULL;

		if (!read_value(r, &row))
			return false;
		r->each(list, row, r->user_data);
		more = read_sign(r, ',');
		if (!more && !read_sign(r, ']'))
			return false;
	}
	return true;
}

static bool read_member(struct reader *r, struct json_object *o)
{
	_cleanup_(answer_freep) struct json_object *key = NULL;
	struct json_object *value;

	if (!read_value(r, &key) || !json_object_is_type(key, json_type_string) ||
	    !read_sign(r, ':'))
		return false;
	if (read_sign(r, '['))
		return read_list(r, json_object_get_string(key));
	return read_value(r, &value) &&
	       !json_object_object_add(o, json_object_get_string(key), value);
}

struct json_object *rows_parse(const char *text, size_t n, rows_each each, void *user_data)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = tokener_new();
	_cleanup_(answer_freep) struct json_object *o = json_object_new_object();
	struct reader r = { tokener, text, text + n, each, user_data };
	bool more;

	if (!tokener || !o || !read_sign(&r, '{'))
		return NULL;
	/* a value ends where the next sign begins */
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	more = !read_sign(&r, '}');
	while (more) {
		if (!read_member(&r, o))
			return NULL;
		more = read_sign(&r, ',');
		if (!more && !read_sign(&r, '}'))
			return NULL;
	}
	skip_spaces(&r);
	return r.at == r.end ? TAKE_PTR(o) : NULL;
}
