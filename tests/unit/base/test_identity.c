/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/identity.h"
#include "testing.h"
#include "unit/random.h"

#define ROUNDS 20000

TEST(names_of_one_to_three_parts_are_accepted)
{
	static const char *const names[] = { "a", "myapp:web", "my.app:web_2:feature-x", "..:-:_",
					     "A:b:0" };
	char longest[IDENTITY_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(identity_check(names[i], NULL), 0);
	memset(longest, 'x', IDENTITY_MAX);
	longest[IDENTITY_PART_MAX] = longest[2 * IDENTITY_PART_MAX + 1] = ':';
	longest[3 * IDENTITY_PART_MAX + 2] = '\0';
	assert_int_equal(identity_check(longest, NULL), 0);
	longest[3 * IDENTITY_PART_MAX + 2] = '@';
	longest[IDENTITY_MAX] = '\0';
	assert_int_equal(identity_check_of_user(longest, NULL), 0);
}

TEST(a_name_with_its_user_is_one_that_exists_and_none_to_claim)
{
	static const char *const bad[] = { "web@",    "@bob",	 "web@bob@ann",
					   "web@b:b", "web@b b", "we b@bob" };
	char bare[IDENTITY_MAX + 1];

	assert_int_equal(identity_check("shop:web@bob", NULL), -EINVAL);
	assert_int_equal(identity_check_of_user("shop:web@bob", NULL), 0);
	assert_int_equal(identity_check_of_user("shop:web", NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(identity_check_of_user(bad[i], NULL), -EINVAL);
	assert_string_equal(identity_bare("shop:web@bob", bare), "shop:web");
	assert_string_equal(identity_bare("shop:web", bare), "shop:web");
	assert_true(identity_is_meant("*:web", "shop:web@bob"));
	assert_true(identity_is_meant("shop:web@*", "shop:web@bob"));
	assert_false(identity_is_meant("shop:web", "shop:web@bob"));
	assert_true(identity_is_number("3000"));
	assert_false(identity_is_number("3000a"));
	assert_false(identity_is_number(""));
}

TEST(faulty_names_are_refused_with_the_reason)
{
	static const struct {
		const char *name, *word;
	} cases[] = {
		{ "", "empty" },
		{ ":", "empty" },
		{ "a:", "empty" },
		{ ":a", "empty" },
		{ "a::b", "empty" },
		{ "a:b:c:", "three" },
		{ "a:b:c:d", "three" },
		{ "a b", "letters" },
		{ "a/b", "letters" },
		{ "a*", "letters" },
		{ "h\xC3\xA9", "letters" },
		{ "a\n", "letters" },
		{ "12345678901234567890123456789012345678901234567890123456789012345", "64" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *why = NULL;

		assert_int_equal(identity_check(cases[i].name, &why), -EINVAL);
		assert_non_null(why);
		assert_non_null(strstr(why, cases[i].word));
	}
}

TEST(any_text_becomes_a_legal_part)
{
	struct random_source r = random_start(__func__);
	char text[200], part[IDENTITY_PART_MAX + 1];

	for (int i = 0; i < ROUNDS; i++) {
		random_bytes(&r, text, sizeof(text));
		identity_part_from(text, part);
		assert_int_equal(identity_check(part, NULL), 0);
		assert_null(strchr(part, ':'));
	}
}

TEST(a_branch_name_keeps_its_legal_characters)
{
	char part[IDENTITY_PART_MAX + 1];

	identity_part_from("feature/login_2.0", part);
	assert_string_equal(part, "feature-login_2.0");
	identity_part_from("", part);
	assert_string_equal(part, "x");
	identity_part_from("a:b", part);
	assert_string_equal(part, "a-b");
}

TEST(a_name_without_a_legal_letter_becomes_its_hash)
{
	char one[IDENTITY_PART_MAX + 1], other[IDENTITY_PART_MAX + 1];

	assert_false(identity_part_from("日本", one));
	assert_string_equal(one, "x-8486afab");
	assert_int_equal(identity_check(one, NULL), 0);
	assert_false(identity_part_from("中国", other));
	assert_string_not_equal(one, other);
	assert_true(identity_part_from("日本-shop", one));
	assert_string_equal(one, "-------shop");
}

TEST(patterns_of_other_characters_are_refused)
{
	char longest[PATTERN_MAX + 2];
	const char *why = NULL;

	memset(longest, 'a', sizeof(longest));
	longest[PATTERN_MAX] = '\0';
	assert_int_equal(pattern_check(longest, NULL), 0);
	longest[PATTERN_MAX] = 'a';
	longest[PATTERN_MAX + 1] = '\0';
	assert_int_equal(pattern_check(longest, &why), -EINVAL);
	assert_non_null(strstr(why, "256"));
	assert_int_equal(pattern_check("", &why), -EINVAL);
	assert_non_null(strstr(why, "empty"));
	assert_int_equal(pattern_check("my%", NULL), -EINVAL);
	assert_int_equal(pattern_check("a b", NULL), -EINVAL);
	assert_int_equal(pattern_check("my*:w?b", NULL), 0);
}

TEST(wildcards_match_as_documented)
{
	static const struct {
		const char *pattern, *id;
		bool match;
	} cases[] = {
		{ "myapp:*", "myapp:web", true },
		{ "myapp:*", "myapp:web:ctx", true }, /* a run goes across ':' */
		{ "myapp:*", "myapp:", true },
		{ "myapp:*", "myapp", false },
		{ "*", "", true },
		{ "*", "a:b:c", true },
		{ "?", "", false },
		{ "?", "a", true },
		{ "?", "ab", false },
		{ "a?c", "a:c", true },
		{ "*web", "my:web", true },
		{ "*web", "my:web2", false },
		{ "*a*b*", "xxaxxbxx", true },
		{ "*a*b*", "xxbxxaxx", false },
		{ "a_c", "abc", false }, /* SQL's wildcards are literal */
		{ "a_c", "a_c", true },
		{ "a.c", "abc", false }, /* regular expressions' too */
		{ "Web", "web", false },
		{ "", "", true },
		{ "", "a", false },
		{ "**", "x", true },
		{ "*?*?*", "ab", true },
		{ "*?*?*", "a", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(pattern_match(cases[i].pattern, cases[i].id), cases[i].match);
}

/* The definition itself: exponential, and plainly right. */
static bool match_by_definition(const char *pattern, const char *id)
{
	if (*pattern == '*')
		return match_by_definition(pattern + 1, id) ||
		       (*id && match_by_definition(pattern, id + 1));
	if (!*pattern || !*id)
		return !*pattern && !*id;
	return (*pattern == '?' || *pattern == *id) && match_by_definition(pattern + 1, id + 1);
}

TEST(matching_agrees_with_its_definition_on_random_texts)
{
	struct random_source r = random_start(__func__);
	char pattern[8], id[10];
	int matched = 0;

	for (int i = 0; i < 10 * ROUNDS; i++) {
		random_string(&r, "ab*?", 4, pattern, sizeof(pattern));
		random_string(&r, "ab", 2, id, sizeof(id));
		assert_int_equal(pattern_match(pattern, id), match_by_definition(pattern, id));
		matched += pattern_match(pattern, id);
	}
	assert_in_range(matched, ROUNDS / 10, 10 * ROUNDS);
}

TEST(random_bytes_never_confuse_matching)
{
	struct random_source r = random_start(__func__);
	char pattern[64], id[64];

	for (int i = 0; i < ROUNDS; i++) {
		random_bytes(&r, pattern, sizeof(pattern));
		random_bytes(&r, id, sizeof(id));
		if (!pattern_has_wildcard(pattern))
			assert_int_equal(pattern_match(pattern, id), strcmp(pattern, id) == 0);
		if (!strchr(id, '*') && !strchr(id, '?'))
			assert_true(pattern_match(id, id));
		pattern_check(pattern, NULL);
		identity_check(pattern, NULL);
	}
}

TEST(hostile_patterns_end_quickly)
{
	char pattern[PATTERN_MAX + 1], id[IDENTITY_MAX + 1];
	struct timespec start, end;

	for (size_t i = 0; i < PATTERN_MAX; i++)
		pattern[i] = i % 2 ? '*' : 'a';
	pattern[PATTERN_MAX - 1] = 'b';
	pattern[PATTERN_MAX] = '\0';
	memset(id, 'a', IDENTITY_MAX);
	id[IDENTITY_MAX] = '\0';
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 100; i++)
		assert_false(pattern_match(pattern, id));
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* 100 x 256 x 194 steps take milliseconds; exponential ones the age of the world */
	assert_true(end.tv_sec - start.tv_sec < 10);
}

TEST(wildcards_are_noticed)
{
	assert_true(pattern_has_wildcard("a*"));
	assert_true(pattern_has_wildcard("?"));
	assert_false(pattern_has_wildcard("my_app:web%"));
	assert_false(pattern_has_wildcard(""));
}

TEST(ranges_are_read_strictly)
{
	static const char *const faults[] = { "",	   "3000",	 "3000-",   "-3000",
					      "4000-3000", "0-10",	 "1-65536", "1-2-3",
					      "1 - 2",	   "a-b",	 "08-10",   "+1-2",
					      "1-2 ",	   "00000001-2", "1--2" };
	struct port_range range = { 7, 8 };

	assert_int_equal(port_range_parse("3000-3999", &range), 0);
	assert_int_equal(range.first, 3000);
	assert_int_equal(range.last, 3999);
	assert_int_equal(port_range_parse("65535-65535", &range), 0);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		assert_int_equal(port_range_parse(faults[i], &range), -EINVAL);
	assert_int_equal(range.first, 65535); /* untouched by what was refused */
}

TEST(names_of_locks_are_bounded_and_plain)
{
	static const char *const good[] = { "db-migrations", "a", "myapp:db:x:y:z", "v1.2_3" };
	static const char *const bad[] = { "",	    "-x",	"a b",	 "a/b", "a\nb",
					   "a\x1b", "\xc3\xa4", "a\x7f", "*" };
	char longest[LOCK_NAME_MAX + 2];
	const char *why = NULL;

	memset(longest, 'x', sizeof(longest));
	longest[LOCK_NAME_MAX + 1] = '\0';
	assert_int_equal(lock_name_check(longest, &why), -EINVAL);
	assert_non_null(strstr(why, "128"));
	longest[LOCK_NAME_MAX] = '\0';
	assert_int_equal(lock_name_check(longest, NULL), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(lock_name_check(good[i], NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(lock_name_check(bad[i], NULL), -EINVAL);
}

TEST(candidates_visit_every_port_of_a_range_once)
{
	static const struct port_range ranges[] = {
		{ 3100, 9999 }, { 1, 65535 }, { 80, 80 }, { 65530, 65535 }
	};
	static uint8_t seen[65536];

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		unsigned size = ranges[i].last - ranges[i].first + 1U;

		memset(seen, 0, sizeof(seen));
		for (unsigned n = 0; n < size; n++) {
			uint16_t port = port_candidate("myapp:web", ranges[i], n);

			assert_in_range(port, ranges[i].first, ranges[i].last);
			assert_int_equal(seen[port]++, 0);
		}
		assert_int_equal(port_candidate("myapp:web", ranges[i], size),
				 port_candidate("myapp:web", ranges[i], 0));
	}
}

/* Known values: a port that was printed once comes out on every machine and in every release. */
TEST(first_candidates_are_those_of_the_published_hash)
{
	static const struct {
		const char *id;
		uint64_t hash;
	} cases[] = {
		{ "", 0xEF46DB3751D8E999ULL },	  /* XXH64 of nothing, from the specification */
		{ "abc", 0x44BC2CF5AD770999ULL }, /* and of "abc" */
	};
	const struct port_range range = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(port_candidate(cases[i].id, range, 0),
				 PORT_RANGE_FIRST + cases[i].hash % 6900);
}

TEST(names_spread_over_the_range)
{
	const struct port_range range = { PORT_RANGE_FIRST, PORT_RANGE_LAST };
	int buckets[10] = { 0 };
	char id[32];

	for (int i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "app%d:web", i);
		buckets[(port_candidate(id, range, 0) - PORT_RANGE_FIRST) / 690]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(buckets[i], 800, 1200);
}

TEST(near_is_a_name_whose_every_part_is)
{
	static const struct {
		const char *given, *candidate;
		bool near;
	} cases[] = {
		{ "shop:wbe", "shop:web", true },   { "shpo:wbe", "shop:web", true },
		{ "shop:api", "shop:web", false },  { "shop:web", "blog:web", false },
		{ "web", "shop:web", true },	    { "wbe", "shop:web:main", true },
		{ "shop", "shop:web", false },	    { "shop:wbe", "shop", false },
		{ "shop:wbe", "shop:web:a", true }, { "wbe", "web", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_ptr_equal(identity_nearer(cases[i].given, NULL, cases[i].candidate),
				 cases[i].near ? cases[i].candidate : NULL);
	assert_string_equal(identity_nearer("shop:wbe", "shop:wxyz", "shop:web"), "shop:web");
	assert_string_equal(identity_nearer("shop:wbe", "shop:web", "shop:wxe"), "shop:web");
}

TEST_MAIN(NULL, NULL)
