/* SPDX-License-Identifier: MIT */
#include "cli/client/other_build.h"
#include "testing.h"

static const char message[] = "unknown parameter \"new\"; /v1/why takes: port, uid";

TEST(a_parameter_that_an_older_daemon_names_is_left_out_of_the_query)
{
	static const struct {
		const char *path, *fewer;
	} cases[] = {
		{ "/v1/why?port=1&new=yes&uid=2", "/v1/why?port=1&uid=2" },
		{ "/v1/why?new=yes&uid=2", "/v1/why?uid=2" },
		{ "/v1/why?port=1&new=yes", "/v1/why?port=1" },
		{ "/v1/why?new=yes", "/v1/why" },
		{ "/v1/why?newer=1&new=yes", "/v1/why?newer=1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = NULL, *body = NULL;

		assert_true(other_build_drop(message, cases[i].path, NULL, &path, &body));
		assert_string_equal(path, cases[i].fewer);
		assert_null(body);
	}
}

TEST(a_member_that_an_older_daemon_names_is_left_out_of_the_body)
{
	_cleanup_free_ char *path = NULL, *body = NULL;

	assert_true(other_build_drop("unknown member \"new\"; /v1/claims takes: id", "/v1/claims",
				     "{\"id\":\"a:b\",\"new\":{\"x\":1}}", &path, &body));
	assert_string_equal(path, "/v1/claims");
	assert_string_equal(body, "{\"id\":\"a:b\"}");
}

TEST(a_refusal_of_something_else_or_of_what_was_not_asked_stays_one)
{
	_cleanup_free_ char *path = NULL, *body = NULL;

	assert_false(
		other_build_drop("port \"x\" is not a port", "/v1/why?port=x", NULL, &path, &body));
	assert_false(other_build_drop(message, "/v1/why?port=1&news=1", NULL, &path, &body));
	assert_false(other_build_drop(message, "/v1/why", "{\"id\":\"new\"}", &path, &body));
	assert_false(other_build_drop("", "/v1/why", NULL, &path, &body));
	assert_null(path);
	assert_null(body);
}

TEST_MAIN(NULL, NULL)
