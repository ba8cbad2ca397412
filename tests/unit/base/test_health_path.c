/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/health_path.h"
#include "testing.h"
#include "unit/random.h"

TEST(paths_and_urls_are_kept_as_what_they_mean)
{
	static const struct {
		const char *text, *kept;
		bool https;
	} rows[] = {
		{ "/", "/", false },
		{ "/health?deep=1&b=%20", "/health?deep=1&b=%20", false },
		{ "http:/health", "/health", false },
		{ "https:/health", "https:/health", true },
		{ "HTTPS:/health", "https:/health", true },
		{ "http://localhost/health", "/health", false },
		{ "https://localhost", "https:/", true },
		{ "https://LocalHost/a", "https:/a", true },
		{ "http://127.0.0.1/a", "/a", false },
		{ "https://[::1]/a", "https:/a", true },
		{ "//double", "//double", false },
		{ "http://localhost//double", "//double", false },
		{ "https://localhost//x", "https://localhost//x", true },
		{ "HTTPS://[::1]//x", "https://localhost//x", true },
		{ "https://localhosT//localhosTbb", "https://localhost//localhosTbb", true },
		{ "/caf\xc3\xa9", "/caf\xc3\xa9", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct health_path path;
		char kept[HEALTH_PATH_SIZE];

		assert_int_equal(health_path_parse(rows[i].text, &path, NULL), 0);
		assert_int_equal(path.https, rows[i].https);
		assert_string_equal(health_path_format(&path, kept), rows[i].kept);
	}
}

TEST(what_is_no_path_of_this_machine_is_refused_with_why)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "no path" },
		{ "health", "no path" },
		{ "https:", "no path" },
		{ "https:health", "no path" },
		{ "ftp:/health", "no path" },
		{ "https://", "localhost" },
		{ "https://example.org/health", "localhost" },
		{ "http://localhost.example.org/", "localhost" },
		{ "http://127.0.0.12/", "localhost" },
		{ "http://localhost:3100/health", "port" },
		{ "/a b", "blank" },
		{ "/a\r\nX-Evil: 1", "blank" },
		{ "/a\x7f", "blank" },
		{ "/a#b", "#" },
		{ "/caf\xe9", "UTF-8" },
	};
	struct health_path path = { .path = "untouched" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = "";

		assert_int_equal(health_path_parse(rows[i].text, &path, &why), -EINVAL);
		if (!strstr(why, rows[i].words))
			fail_msg("\"%s\": %s", rows[i].text, why);
	}
	assert_string_equal(path.path, "untouched");
}

TEST(a_path_may_be_1024_bytes_long)
{
	char text[HEALTH_PATH_MAX_BYTES + 2];
	struct health_path path;

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[HEALTH_PATH_MAX_BYTES + 1] = '\0';
	assert_int_equal(health_path_parse(text, &path, NULL), -EINVAL);
	text[HEALTH_PATH_MAX_BYTES] = '\0';
	assert_int_equal(health_path_parse(text, &path, NULL), 0);
}

/* "[::1]" is stored as the longer "localhost". */
TEST(a_url_may_be_1024_bytes_long_as_it_is_kept)
{
	char text[HEALTH_PATH_MAX_BYTES + 2], kept[HEALTH_PATH_SIZE];
	size_t longest = HEALTH_PATH_MAX_BYTES - strlen("localhost") + strlen("[::1]");
	struct health_path path;

	memset(text, 'a', sizeof(text));
	memcpy(text, "https://[::1]//", strlen("https://[::1]//"));
	text[longest + 1] = '\0';
	assert_int_equal(health_path_parse(text, &path, NULL), -EINVAL);
	text[longest] = '\0';
	assert_int_equal(health_path_parse(text, &path, NULL), 0);
	health_path_format(&path, kept);
	assert_int_equal(strlen(kept), HEALTH_PATH_MAX_BYTES);
	assert_int_equal(health_path_parse(kept, &path, NULL), 0);
}

TEST(what_is_kept_reads_as_itself)
{
	static const char alphabet[] = "htps:/localhost.#[]1 \r?";
	static const char *const starts[] = { "http://localhost", "https://localhost/",
					      "https://[::1]//", "HTTPS:" };
	struct random_source r = random_start(__func__);

	for (int i = 0; i < 20000; i++) {
		char text[40], first[HEALTH_PATH_SIZE], second[HEALTH_PATH_SIZE];
		struct health_path path;
		size_t length;
		bool https;

		if (i % 2) {
			/* few random texts begin as a URL does */
			strcpy(text, starts[random_below(&r, ARRAY_SIZE(starts))]);
			random_string(&r, alphabet, sizeof(alphabet) - 1, text + strlen(text), 12);
		} else {
			random_string(&r, alphabet, sizeof(alphabet) - 1, text, sizeof(text));
		}
		if (health_path_parse(text, &path, NULL))
			continue;
		health_path_format(&path, first);
		assert_null(strpbrk(first, " \r\n"));
		https = path.https;
		length = strlen(path.path);
		assert_int_equal(health_path_parse(first, &path, NULL), 0);
		assert_int_equal(path.https, https);
		assert_int_equal(strlen(path.path), length);
		assert_string_equal(health_path_format(&path, second), first);
	}
}

TEST_MAIN(NULL, NULL)
