/* SPDX-License-Identifier: MIT */
#include "base/build.h"
#include "testing.h"

TEST(own_product_is_read_back_as_the_own_build)
{
	char product[BUILD_PRODUCT_SIZE];
	struct build b;

	assert_true(build_parse(build_product(BUILD_PROGRAM_PD, product), BUILD_PROGRAM_PD, &b));
	assert_true(build_is_own(&b));
	assert_int_equal(b.committed_at, build_own.committed_at);
	assert_false(build_parse(product, BUILD_PROGRAM_DAEMON, &b));
}

TEST(products_of_others_are_no_build)
{
	static const char *const others[] = {
		"", "curl/8.5.0", "pd", "pd/", "pd/ (x)", "pdx/1.0", "Mozilla/5.0 pd/1", "PD/1.0"
	};
	struct build b;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (build_parse(others[i], BUILD_PROGRAM_PD, &b))
			fail_msg("\"%s\" was taken for one", others[i]);
}

TEST(what_a_product_leaves_out_is_unknown)
{
	struct build b;

	assert_true(build_parse("pd/2.0", BUILD_PROGRAM_PD, &b));
	assert_string_equal(b.version, "2.0");
	assert_string_equal(b.commit, "");
	assert_int_equal(b.committed_at, 0);
	assert_true(build_parse("pd/2.0 (; 7)", BUILD_PROGRAM_PD, &b));
	assert_string_equal(b.commit, "");
	assert_int_equal(b.committed_at, 7);
	assert_true(build_parse("pd/2.0 (abc1234+0fe1234; 123", BUILD_PROGRAM_PD, &b));
	assert_string_equal(b.commit, "abc1234+0fe1234");
}

TEST(builds_are_older_or_newer_by_their_commits_time)
{
	struct build b = { "0.1.0", "abc1234", build_own.committed_at + 1 };

	assert_string_equal(build_age(&b), "newer");
	b.committed_at = 1;
	assert_string_equal(build_age(&b), build_own.committed_at ? "older" : "newer");
	b.committed_at = 0;
	assert_string_equal(build_age(&b), "another");
	b.committed_at = -1;
	assert_string_equal(build_age(&b), "older");
	assert_string_equal(build_age(&(struct build){ 0 }), "older");
}

TEST_MAIN(NULL, NULL)
