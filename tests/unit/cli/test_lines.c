/* SPDX-License-Identifier: MIT */
/* Lines out of bytes, however these come. */
#include "cli/supervise/lines.h"
#include "testing.h"

struct taken {
	char text[4096]; /* the lines, each with a '|' behind it */
	size_t n, lines, longest;
};

static void take(const char *line, size_t n, void *user_data)
{
	struct taken *t = user_data;

	t->lines++;
	t->longest = n > t->longest ? n : t->longest;
	if (t->n + n + 1 >= sizeof(t->text))
		return;
	memcpy(t->text + t->n, line, n);
	t->n += n;
	t->text[t->n++] = '|';
	t->text[t->n] = '\0';
}

TEST(line_is_whole_however_its_bytes_come)
{
	static const char text[] = "one\n\ntwo words\n\x1b[31mred\x1b[0m\nlast";

	for (size_t step = 1; step < sizeof(text); step++) {
		_cleanup_(lines_deinit) struct line_splitter s = { 0 };
		struct taken t = { .n = 0 };

		for (size_t at = 0; at < sizeof(text) - 1; at += step) {
			size_t left = sizeof(text) - 1 - at;

			assert_int_equal(
				lines_add(&s, text + at, step < left ? step : left, take, &t), 0);
		}
		assert_string_equal(t.text, "one||two words|\x1b[31mred\x1b[0m|");
		lines_finish(&s, take, &t);
		assert_string_equal(t.text, "one||two words|\x1b[31mred\x1b[0m|last|");
	}
}

TEST(line_without_an_end_comes_in_pieces_of_bounded_size)
{
	_cleanup_(lines_deinit) struct line_splitter s = { 0 };
	static char bytes[10000];
	struct taken t = { .n = 0 };
	size_t total = 100 * sizeof(bytes);

	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 100; i++)
		lines_add(&s, bytes, sizeof(bytes), take, &t);
	assert_int_equal(t.longest, LINES_MAX_BYTES);
	assert_int_equal(t.lines, total / LINES_MAX_BYTES);
	lines_add(&s, "\n", 1, take, &t);
	assert_int_equal(t.lines, total / LINES_MAX_BYTES + 1);
}

TEST(line_as_long_as_there_is_room_is_one)
{
	_cleanup_(lines_deinit) struct line_splitter s = { 0 };
	_cleanup_free_ char *bytes = malloc(LINES_MAX_BYTES);
	struct taken t = { .n = 0 };

	memset(bytes, 'x', LINES_MAX_BYTES);
	lines_add(&s, bytes, LINES_MAX_BYTES, take, &t);
	lines_add(&s, "\nnext\n", 6, take, &t);
	assert_int_equal(t.lines, 2);
	assert_string_equal(t.text, "next|");
}

TEST_MAIN(NULL, NULL)
