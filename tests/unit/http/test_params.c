/* SPDX-License-Identifier: MIT */
/* Each kind of parameter: what it reads, and the sentence with which it refuses. */
#include <json-c/json.h>

#include "base/identity.h"
#include "http/page.h"
#include "http/parse.h"
#include "http/request.h"
#include "testing.h"

#define NOW 1709150400 /* 2024-02-28T20:00:00Z */

struct values {
	const char *text, *id, *pattern, *path;
	uint16_t port;
	bool yes, flag, one, brief;
	int64_t count, number, duration, moment, since;
	struct page page;
};

static const struct param texts[] = {
	PARAM_TEXT("text", struct values, text, .max = 8, .noun = "note"),
	PARAM_ID("id", struct values, id),
	PARAM_PATTERN("pattern", struct values, pattern),
	PARAM_PATH("cwd", struct values, path),
	PARAM_PORT("port", struct values, port),
	PARAM_BOOL("yes", struct values, yes),
	PARAM_COUNT("count", struct values, count),
	PARAM_DURATION("ttl", struct values, duration, .min = 1, .max = 60, .otherwise = 5),
};

static const struct param query[] = {
	PARAM_FLAG("flag", struct values, flag),
	PARAM_ONE("all", struct values, one),
	PARAM_NO("details", struct values, brief),
	PARAM_NUMBER("uid", struct values, number, .max = 99, .otherwise = -1),
	PARAM_MOMENT("from", struct values, moment),
	PARAM_SINCE("since", struct values, since),
	PARAM_PAGE(struct values, page, PAGE_MAX_ROWS),
};

static int read_object(struct request *r, const char *json, struct values *ret)
{
	struct json_object *o = json_tokener_parse(json);
	int fault;

	*r = (struct request){ .now = NOW };
	*ret = (struct values){ 0 };
	assert_non_null(o);
	fault = parse_object(r, o, "test", texts, ARRAY_SIZE(texts), ret);
	json_object_put(o);
	return fault;
}

/* What the query's row of that name makes of a text. */
static int read_text(struct request *r, const char *name, const char *text, struct values *ret)
{
	const struct param_value value = { .text = text };

	*r = (struct request){ .now = NOW };
	*ret = (struct values){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(query); i++)
		if (strcmp(query[i].name, name) == 0)
			return query[i].read(r, &query[i], &value, (char *)ret + query[i].offset);
	fail_msg("there is no row %s", name);
	return -1;
}

TEST(members_that_are_of_their_kind_are_read)
{
	struct json_object *o = json_tokener_parse(
		"{\"text\":\"h\\u00e9\",\"id\":\"a:b\",\"pattern\":\"a:*\",\"cwd\":\"/x\","
		"\"port\":\"3000\",\"yes\":true,\"count\":7,\"ttl\":\"30s\"}");
	struct request r = { .now = NOW };
	struct values v = { 0 };

	assert_int_equal(parse_object(&r, o, "test", texts, ARRAY_SIZE(texts), &v), 0);
	assert_string_equal(v.text, "h\xc3\xa9");
	assert_string_equal(v.id, "a:b");
	assert_string_equal(v.pattern, "a:*");
	assert_string_equal(v.path, "/x");
	assert_int_equal(v.port, 3000);
	assert_true(v.yes);
	assert_int_equal(v.count, 7);
	assert_int_equal(v.duration, 30);
	json_object_put(o);
}

TEST(what_is_missing_or_null_is_zero_or_what_its_row_says)
{
	struct request r;
	struct values v;

	assert_int_equal(read_object(&r, "{\"id\":null,\"ttl\":null,\"port\":null}", &v), 0);
	assert_null(v.id);
	assert_int_equal(v.port, 0);
	assert_int_equal(v.duration, 5);
	assert_int_equal(read_object(&r, "{\"port\":65535}", &v), 0);
	assert_int_equal(v.port, 65535);
}

TEST(members_of_another_kind_are_refused_with_their_sentence)
{
	static const struct {
		const char *json, *says;
		int outcome;
	} cases[] = {
		{ "{\"text\":1}", "\"text\" is not a string; write \"text\": \"…\"", 0 },
		{ "{\"text\":\"a\\u0000b\"}", "\"text\" has a NUL byte", 0 },
		{ "{\"text\":\"123456789\"}", "the note is 9 bytes long; at most 8 are kept",
		  OUTCOME_TOO_LARGE },
		{ "{\"id\":\"a:\"}", "id \"a:\" cannot be used: ", 0 },
		{ "{\"pattern\":\"a/b\"}", "pattern \"a/b\" cannot be read: ", 0 },
		{ "{\"cwd\":\"x\"}",
		  "cwd \"x\" is not an absolute path; write it like /home/me/app", 0 },
		{ "{\"port\":0}",
		  "port \"0\" is not a port; write a number from 1 to 65535, like 3000", 0 },
		{ "{\"port\":3000.0}", "port \"3000.0\" is not a port; ", 0 },
		{ "{\"port\":\"30\\u000000\"}", "port \"30\" is not a port; ", 0 },
		{ "{\"yes\":1}", "\"yes\" is neither true nor false", 0 },
		{ "{\"count\":0}", "\"count\" is not a number from 1 on", 0 },
		{ "{\"count\":\"1\"}", "\"count\" is not a number from 1 on", 0 },
		{ "{\"ttl\":\"5x\"}", "ttl \"5x\" is no duration (see character 2); write it like ",
		  0 },
		{ "{\"ttl\":\"2m\"}", "ttl \"2m\" is none from 1s to 60s", 0 },
		{ "{\"other\":1}",
		  "unknown member \"other\" in \"test\"; it takes: text, id, pattern, cwd, port, "
		  "yes, "
		  "count, ttl",
		  0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int outcome = cases[i].outcome ? cases[i].outcome : OUTCOME_BAD_REQUEST;
		struct request r;
		struct values v;

		if (read_object(&r, cases[i].json, &v) != outcome ||
		    !strstr(r.message, cases[i].says))
			fail_msg("%s: \"%s\"", cases[i].json, r.message);
	}
}

static struct values value_of(const char *name, const char *text)
{
	struct request r;
	struct values v;

	assert_int_equal(read_text(&r, name, text, &v), 0);
	return v;
}

TEST(texts_of_a_query_are_read_by_their_kind)
{
	assert_true(value_of("flag", "1").flag);
	assert_false(value_of("flag", "0").flag);
	assert_true(value_of("all", "1").one);
	assert_true(value_of("details", "no").brief);
	assert_false(value_of("details", "yes").brief);
	assert_int_equal(value_of("uid", "99").number, 99);
	assert_int_equal(value_of("from", "1700000000").moment, 1700000000);
	assert_int_equal(value_of("from", "2024-02-28T02:00:00Z").moment, 1709085600);
	assert_int_equal(value_of("since", "1h").since, NOW - 3600);
	assert_int_equal(value_of("since", "1700000000").since, 1700000000);
}

TEST(texts_of_another_kind_are_refused_with_their_sentence)
{
	static const struct {
		const char *name, *text, *says;
	} cases[] = {
		{ "flag", "yes", "flag \"yes\" is neither 0 nor 1" },
		{ "all", "0", "all \"0\" cannot be read; write all=1" },
		{ "details", "1", "details \"1\" is neither yes nor no" },
		{ "uid", "100", "uid \"100\" is not a number from 0 to 99" },
		{ "uid", "-1", "uid \"-1\" is not a number from 0 to 99" },
		{ "uid", " 1", "uid \" 1\" is not a number from 0 to 99" },
		{ "uid", "1x", "uid \"1x\" is not a number from 0 to 99" },
		{ "uid", "99999999999999999999", "is not a number from 0 to 99" },
		{ "n", "501", "n \"501\" is not a number of rows; write one from 1 to 500" },
		{ "n", "0", "n \"0\" is not a number of rows; write one from 1 to 500" },
		{ "from", "soon", "from \"soon\" is no moment (see character 1); write it like " },
		{ "since", "5", "since \"5\" is no duration (see character 2); write it like 45s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request r;
		struct values v;

		if (read_text(&r, cases[i].name, cases[i].text, &v) != OUTCOME_BAD_REQUEST ||
		    !strstr(r.message, cases[i].says))
			fail_msg("%s=%s: \"%s\"", cases[i].name, cases[i].text, r.message);
	}
}

TEST(a_page_is_as_long_as_was_asked_and_never_longer_than_a_turn)
{
	struct page asked = { .n = 3 }, all = { 0 }, many = { .n = 10000 };

	page_begin(&asked, PAGE_BRIEF_ROWS);
	page_begin(&all, PAGE_BRIEF_ROWS);
	page_begin(&many, 50);
	assert_int_equal(asked.rows, 3);
	assert_int_equal(all.rows, PAGE_BRIEF_ROWS);
	assert_int_equal(many.rows, PAGE_MAX_ROWS);
}

TEST_MAIN(NULL, NULL)
