/* SPDX-License-Identifier: MIT */
/* Answers that are read row by row. */
#include <json-c/json.h>

#include "cli/client/answer.h"
#include "cli/client/rows.h"
#include "testing.h"

#define TOLD_SIZE 1024

/* What was told: "list=row;" one behind the other. */
static char told[TOLD_SIZE];

static void tell(const char *list, struct json_object *row, void *user_data)
{
	size_t used = strlen(told);

	snprintf(told + used, sizeof(told) - used, "%s=%s;", list,
		 json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN));
}

static struct json_object *parse(const char *text)
{
	told[0] = '\0';
	return rows_parse(text, strlen(text), tell, NULL);
}

TEST(rows_are_told_and_the_rest_is_returned)
{
	_cleanup_(answer_freep) struct json_object *o = parse(
		" { \"ok\" : true , \"services\":[],\"version\":1,\"orphans\": [ {\"a\":[1,2]} ,"
		"\"x]}\", null,7 ] , \"last\":{\"list\":[3]}}\n");

	assert_non_null(o);
	assert_string_equal(told, "orphans={\"a\":[1,2]};orphans=\"x]}\";orphans=null;orphans=7;");
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
			    "{\"ok\":true,\"version\":1,\"last\":{\"list\":[3]}}");
}

TEST(every_answer_that_was_cut_is_refused)
{
	const char *whole = "{\"ok\":true,\"version\":1,\"l\":[{\"a\":1},{\"b\":[2]}],\"n\":12}";
	char cut[TOLD_SIZE];

	for (size_t n = 0; n < strlen(whole); n++) {
		_cleanup_(answer_freep) struct json_object *o = NULL;

		snprintf(cut, sizeof(cut), "%.*s", (int)n, whole);
		o = parse(cut);
		assert_null(o);
	}
	json_object_put(parse(whole));
	assert_string_equal(told, "l={\"a\":1};l={\"b\":[2]};");
}

TEST(what_is_no_object_is_refused)
{
	static const char *const texts[] = {
		"",
		"null",
		"[]",
		"{]",
		"{\"a\":1,}",
		"{\"a\" 1}",
		"{\"a\":[1 2]}",
		"{\"a\":[1,]}",
		"{\"a\":[,1]}",
		"{1:2}",
		"{\"a\":1}{}",
		"{\"a\":[1}",
		"{\"a\":[[1]",
		"{\"a\":}",
		"{\"a\":1} x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(answer_freep) struct json_object *o = parse(texts[i]);

		if (o)
			fail_msg("accepted: %s", texts[i]);
	}
}

TEST(what_nests_too_deep_is_refused)
{
	char text[256] = "{\"a\":[";

	memset(text + strlen(text), '[', 200);
	assert_null(parse(text));
}

TEST_MAIN(NULL, NULL)
