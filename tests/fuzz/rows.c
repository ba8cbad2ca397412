/* SPDX-License-Identifier: MIT */
/*
 * Answers that pd reads row by row, against json-c's reading of the whole, which takes names in
 * single quotes, too: what it writes itself is held to it.
 */
#include "cli/client/rows.h"

#include <json-c/json.h>

#include "cli/client/answer.h"
#include "fuzz/fuzz.h"

#define DEPTH_ALIKE 32 /* up to here both take it; rows are read one by one, and may go deeper */

struct told {
	size_t rows;
	const char *list;
};

static void count(const char *list, struct json_object *row, void *user_data)
{
	struct told *told = user_data;

	must(list);
	told->rows++;
}

/* NULL for what is no object, or not all of the text. */
static struct json_object *parse_whole(const char *text, size_t size, int depth)
{
	struct json_tokener *tokener = json_tokener_new_ex(depth);
	struct json_object *o;

	must(tokener);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !json_object_is_type(o, json_type_object) || !rows_is_finite(o)) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(tokener);
	return o;
}

static size_t count_rows(struct json_object *whole)
{
	size_t n = 0;

	json_object_object_foreach(whole, key, value) {
		(void)key;
		n += answer_length(value);
	}
	return n;
}

static void check(const char *text, size_t size, bool must_be_read)
{
	struct told told = { 0 };
	struct json_object *rest = rows_parse(text, size, count, &told);
	struct json_object *whole = parse_whole(text, size, DEPTH_ALIKE + 4);

	must(rest || !must_be_read);
	must(whole || !rest);
	/* of a member that stands there twice json-c keeps the last one */
	if (rest)
		must(told.rows >= count_rows(whole));
	json_object_put(whole);
	json_object_put(rest);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);
	struct json_object *whole = parse_whole(text, size, DEPTH_ALIKE);
	const char *written;

	check(text, size, false);
	if (whole) {
		written = json_object_to_json_string(whole);
		check(written, strlen(written), true);
	}
	json_object_put(whole);
	return 0;
}
