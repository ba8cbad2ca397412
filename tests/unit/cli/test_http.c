/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cli/client/client.h"
#include "cli/client/http.h"
#include "testing.h"
#include "unit/random.h"

#define ROUNDS 20000

static const char good[] = "HTTP/1.0 404 Not Found\r\nContent-Type: application/json\r\n"
			   "content-length:  12 \r\n\r\n{\"ok\":false}";

static int parse(const char *text, struct http_head *ret)
{
	return http_head_parse(text, strlen(text), ret);
}

TEST(head_gives_status_length_and_where_the_body_begins)
{
	struct http_head head;

	assert_int_equal(parse(good, &head), 0);
	assert_int_equal(head.status, 404);
	assert_int_equal(head.content_length, 12);
	assert_string_equal(good + head.size, "{\"ok\":false}");
}

TEST(head_without_a_length_ends_with_the_connection)
{
	struct http_head head;

	assert_int_equal(parse("HTTP/1.1 200 OK\n\n", &head), 0);
	assert_int_equal(head.content_length, -1);
}

TEST(every_beginning_of_a_head_is_incomplete_and_not_wrong)
{
	size_t whole = (size_t)(strstr(good, "{") - good);
	struct http_head head;

	for (size_t n = 0; n < whole; n++)
		assert_int_equal(http_head_parse(good, n, &head), -EAGAIN);
}

TEST(what_is_no_http_answer_is_refused)
{
	static const char *const faulty[] = {
		"SSH-2.0-OpenSSH_9\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.0 OK\r\n\r\n",
		"HTTP/1.0 20 OK\r\n\r\n",
		"HTTP/1.0 999 OK\r\n\r\n",
		"HTTP/1.0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 12x\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	struct http_head head;

	for (size_t i = 0; i < ARRAY_SIZE(faulty); i++)
		assert_int_equal(parse(faulty[i], &head), -EBADMSG);
}

TEST(endless_head_is_refused)
{
	_cleanup_free_ char *text = malloc(HTTP_HEAD_MAX_BYTES + 100);
	struct http_head head;

	memset(text, 'x', HTTP_HEAD_MAX_BYTES + 100);
	memcpy(text, "HTTP/1.0 200 OK\r\n", 17);
	assert_int_equal(http_head_parse(text, HTTP_HEAD_MAX_BYTES + 100, &head), -EBADMSG);
}

TEST(damaged_heads_are_never_read_beyond_their_end)
{
	struct random_source random = random_start(__func__);

	for (int round = 0; round < ROUNDS; round++) {
		size_t n = random_below(&random, sizeof(good));
		_cleanup_free_ char *text = malloc(n + 1); /* the sanitizer guards its end */
		struct http_head head;
		int e;

		memcpy(text, good, n);
		if (n)
			text[random_below(&random, n)] = (char)random_below(&random, 256);
		e = http_head_parse(text, n, &head);
		assert_true(e == 0 || e == -EAGAIN || e == -EBADMSG);
		if (e == 0)
			assert_true(head.size <= n);
	}
}

TEST(parameters_are_encoded_and_missing_ones_left_out)
{
	const struct client_param params[] = { { "pattern", "my app:*?&=%" },
					       { "port", NULL },
					       { "x", "\xC3\xA9~._-" } };
	char path[128];

	assert_int_equal(client_path("/v1/x", params, 3, path, sizeof(path)), 0);
	assert_string_equal(path, "/v1/x?pattern=my%20app%3A%2A%3F%26%3D%25&x=%C3%A9~._-");
}

TEST(path_without_parameters_has_no_question_mark)
{
	const struct client_param params[] = { { "port", NULL } };
	char path[32];

	assert_int_equal(client_path("/v1/x", params, 1, path, sizeof(path)), 0);
	assert_string_equal(path, "/v1/x");
}

TEST(path_that_does_not_fit_is_refused_at_every_length)
{
	const struct client_param params[] = { { "a", "b:c" } };
	char path[64];

	for (int size = 1; size <= (int)strlen("/v1/x?a=b%3Ac"); size++)
		assert_int_equal(client_path("/v1/x", params, 1, path, size), -ENAMETOOLONG);
	assert_int_equal(client_path("/v1/x", params, 1, path, 14), 0);
}

TEST_MAIN(NULL, NULL)
