/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "testing.h"
#include "unit/random.h"

#define ROUNDS	    20000
#define REPLACEMENT "\xEF\xBF\xBD"

TEST(well_formed_utf8_is_accepted)
{
	static const char *const texts[] = {
		"",
		"plain",
		"h\xC3\xA9",
		"\xE2\x82\xAC",
		"\xF0\x9F\x98\x80",
		"\xC2\x80",
		"\xDF\xBF",
		"\xE0\xA0\x80",
		"\xED\x9F\xBF",
		"\xEE\x80\x80",
		"\xEF\xBF\xBF",
		"\xF0\x90\x80\x80",
		"\xF4\x8F\xBF\xBF",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_true(text_is_utf8(texts[i], strlen(texts[i])));
	assert_true(text_is_utf8("a\0b", 3));
}

TEST(malformed_utf8_is_refused)
{
	static const char *const texts[] = {
		"\x80",		    /* continuation alone */
		"\xC3",		    /* cut */
		"\xE2\x82",	    /* cut */
		"\xF0\x9F\x98",	    /* cut */
		"\xC0\x80",	    /* overlong NUL */
		"\xC1\xBF",	    /* overlong */
		"\xE0\x9F\xBF",	    /* overlong */
		"\xF0\x8F\xBF\xBF", /* overlong */
		"\xED\xA0\x80",	    /* surrogate */
		"\xED\xBF\xBF",	    /* surrogate */
		"\xF4\x90\x80\x80", /* above U+10FFFF */
		"\xF5\x80\x80\x80", /* above U+10FFFF */
		"\xFE",
		"\xFF",
		"\xC3\x28", /* no continuation */
		"\xE2\x28\xAC",
		"\xE2\x82\x28",
		"ok\xC3",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_false(text_is_utf8(texts[i], strlen(texts[i])));
}

TEST(utf8_is_checked_wherever_it_stands_in_a_long_text)
{
	char text[40];

	for (size_t at = 0; at + 2 <= sizeof(text); at++) {
		memset(text, 'a', sizeof(text));
		memcpy(text + at, "\xC3\xA9", 2);
		assert_true(text_is_utf8(text, sizeof(text)));
		text[at + 1] = 'a';
		assert_false(text_is_utf8(text, sizeof(text)));
		assert_false(text_is_utf8(text, at + 1));
	}
}

TEST(malformed_bytes_become_replacement_characters)
{
	char out[64];

	assert_string_equal(text_to_utf8("a\xFFz", out, sizeof(out)), "a" REPLACEMENT "z");
	assert_string_equal(text_to_utf8("\xED\xA0\x80", out, sizeof(out)),
			    REPLACEMENT REPLACEMENT REPLACEMENT);
	assert_string_equal(text_to_utf8("h\xC3\xA9", out, sizeof(out)), "h\xC3\xA9");
	assert_string_equal(text_to_utf8("", out, sizeof(out)), "");
	assert_string_equal(text_to_utf8("line\nbreak", out, sizeof(out)), "line\nbreak");
}

TEST(texts_are_cut_between_characters)
{
	char out[8] = "xxxxxxx";

	assert_string_equal(text_to_utf8("\xE2\x82\xAC\xE2\x82\xAC", out, 6), "\xE2\x82\xAC");
	assert_string_equal(text_to_utf8("\xE2\x82\xAC", out, 3), "");
	assert_string_equal(text_to_utf8("abc", out, 3), "ab");
	assert_string_equal(text_to_utf8("abc", out, 1), "");
	strcpy(out, "keep");
	text_to_utf8("abc", out, 0);
	assert_string_equal(out, "keep");
	/* an escape is never cut, either */
	assert_string_equal(text_escape_terminal("a\x1b[1m", out, 3), "a");
	assert_string_equal(text_escape_terminal("a\x1b[1m", out, 4), "a\\e");
}

TEST(terminal_controls_are_written_out)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "node", "node" },
		{ "a\nb\tc", "a\\nb\\tc" },
		{ "\x1b[2J", "\\e[2J" },
		{ "\r\a\b\x7f", "\\x0d\\x07\\x08\\x7f" },
		{ "\xC2\x9B"
		  "31m",
		  "\\u{009B}31m" }, /* CSI as one C1 character */
		{ "\xE2\x80\xAE"
		  "txt",
		  "\\u{202E}txt" }, /* right-to-left override */
		{ "\xE2\x81\xA6", "\\u{2066}" },
		{ "\xE2\x80\x8F", "\\u{200F}" },
		{ "\xD8\x9C", "\\u{061C}" },
		{ "\xE2\x80\xA8", "\\u{2028}" },
		{ "\x9b"
		  "31m",
		  "\\x9b31m" }, /* the same in eight bits */
		{ "\xFF", "\\xff" },
		{ "h\xC3\xA9 \xF0\x9F\x98\x80", "h\xC3\xA9 \xF0\x9F\x98\x80" },
		{ "\xC2\xA0", "\xC2\xA0" }, /* the first one after C1 */
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_escape_terminal(cases[i].text, out, sizeof(out)),
				    cases[i].shown);
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7F ||
		    ((unsigned char)s[0] == 0xC2 && (unsigned char)s[1] < 0xA0))
			return true;
	return false;
}

TEST(random_bytes_become_valid_and_harmless)
{
	struct random_source r = random_start(__func__);
	char text[48], out[256];

	for (int i = 0; i < ROUNDS; i++) {
		size_t size = 1 + random_below(&r, sizeof(out) - 1);

		if (i % 2)
			random_bytes(&r, text, sizeof(text));
		else
			random_string(&r, "a\x1b\n\x80\x9b\xbf\xc2\xe2\xed\xf0\xf4\xff", 13, text,
				      sizeof(text));
		memset(out, 'x', sizeof(out));
		text_to_utf8(text, out, size);
		assert_true(strlen(out) < size);
		assert_true(text_is_utf8(out, strlen(out)));
		if (size == sizeof(out) - 1 && text_is_utf8(text, strlen(text)))
			assert_string_equal(out, text);
		text_escape_terminal(text, out, size);
		assert_true(strlen(out) < size);
		assert_true(text_is_utf8(out, strlen(out)));
		assert_false(has_control(out));
	}
}

TEST(distances_are_those_of_single_mistakes)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "claim", "claim", 0 },
		{ "claim", "clam", 1 },
		{ "claim", "claims", 1 },
		{ "claim", "cliam", 1 },
		{ "status", "staus", 1 },
		{ "find", "fnid", 1 },
		{ "kitten", "sitting", 3 },
		{ "ca", "abc",
		  3 }, /* optimal string alignment; without the restriction it were 2 */
		{ "watch", "why", 4 },
	};
	char longer[80];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(text_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(text_distance(longer, "a"), 79);
	longer[64] = '\0';
	assert_int_equal(text_distance(longer, "a"), 63);
}

TEST(nearest_name_is_the_one_that_was_meant)
{
	const char *near = NULL;

	near = text_nearer("cliam", near, "why");
	assert_null(near);
	near = text_nearer("cliam", near, "clean");
	near = text_nearer("cliam", near, "claim");
	near = text_nearer("cliam", near, "clam");
	assert_string_equal(near, "claim");
}

static unsigned distance_by_definition(const char *a, size_t n, const char *b, size_t m)
{
	unsigned best, other;

	if (n == 0 || m == 0)
		return (unsigned)(n + m);
	best = distance_by_definition(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
	other = distance_by_definition(a, n - 1, b, m) + 1;
	best = other < best ? other : best;
	other = distance_by_definition(a, n, b, m - 1) + 1;
	best = other < best ? other : best;
	if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
		other = distance_by_definition(a, n - 2, b, m - 2) + 1;
		best = other < best ? other : best;
	}
	return best;
}

TEST(distance_agrees_with_its_definition_on_random_texts)
{
	struct random_source r = random_start(__func__);
	char a[6], b[6];

	for (int i = 0; i < ROUNDS / 10; i++) {
		random_string(&r, "abc", 3, a, sizeof(a));
		random_string(&r, "abc", 3, b, sizeof(b));
		assert_int_equal(text_distance(a, b),
				 distance_by_definition(a, strlen(a), b, strlen(b)));
	}
}

TEST(shell_word_needs_no_quotes_and_is_no_option)
{
	static const char *const words[] = { "nginx.service", "/usr/bin/node", "a@b:1+2,x=y_-" };
	static const char *const others[] = { "",    "-rf",    "a b", "it's", "$HOME",
					      "a;b", "a\\x2d", "~",   "*",    "\xc3\xa4" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_true(text_is_shell_word(words[i]));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(text_is_shell_word(others[i]));
}

TEST(quoted_word_is_one_word_to_a_shell)
{
	static const struct {
		const char *word, *quoted; /* NULL: no command can name it */
	} rows[] = {
		{ "/srv/app", "/srv/app" },
		{ "it is", "'it is'" },
		{ "it's", "'it'\\''s'" },
		{ "'", "''\\'''" },
		{ "$(reboot)`id`\"", "'$(reboot)`id`\"'" },
		{ "\xc3\xa4", "'\xc3\xa4'" },
		{ "", NULL },
		{ "-rf", NULL },
		{ "a\nb", NULL },
		{ "\x1b[31m", NULL },
		{ "\xc2\x9b", NULL },	  /* C1: CSI in one character */
		{ "\xff", NULL },	  /* no UTF-8 */
		{ "\xe2\x80\xae", NULL }, /* turns the order of what follows */
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(text_shell_quote(rows[i].word, text, sizeof(text)),
				 rows[i].quoted != NULL);
		assert_string_equal(text, rows[i].quoted ? rows[i].quoted : "");
	}
	assert_false(text_shell_quote("/longer/than/15", text, 15));
	assert_true(text_shell_quote("/longer/than/15", text, 16));
	for (size_t size = 1; size <= sizeof("''\\'''\\'' '\\'''\\'''"); size++)
		if (text_shell_quote("'' ''", text, size) && strlen(text) >= size)
			fail_msg("%s does not fit %zu bytes", text, size);
}

TEST_MAIN(NULL, NULL)
