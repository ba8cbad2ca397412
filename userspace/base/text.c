/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define REPLACEMENT	  "\xEF\xBF\xBD" /* U+FFFD */
#define ESCAPE_BYTES	  16		 /* the longest piece is \u{10FFFF} */
#define NEAR_DISTANCE_MAX 3		 /* a suggestion further away than this is noise */
#define DISTANCE_MAX	  64		 /* longer strings count as entirely different */
#define QUOTED_BYTES	  4096		 /* of a word that is quoted; nobody reads a longer one */

/*
 * Length of the well-formed sequence at s (n bytes left), 0 when the first byte starts none.  The
 * bounds on the second byte are those of Unicode's table 3-7: they exclude overlong forms,
 * surrogates and everything above U+10FFFF.
 */
static size_t sequence_length(const uint8_t *s, size_t n, uint32_t *ret_code)
{
	uint8_t low = 0x80, high = 0xBF;
	uint32_t code;
	size_t length;

	if (s[0] < 0x80) {
		*ret_code = s[0];
		return 1;
	}
	if (s[0] < 0xC2 || s[0] > 0xF4)
		return 0;
	length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
	if (n < length)
		return 0;
	if (s[0] == 0xE0)
		low = 0xA0;
	else if (s[0] == 0xED)
		high = 0x9F;
	else if (s[0] == 0xF0)
		low = 0x90;
	else if (s[0] == 0xF4)
		high = 0x8F;
	if (s[1] < low || s[1] > high)
		return 0;
	code = s[0] & (0x7F >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3F);
	}
	*ret_code = code;
	return length;
}

/* Of the next eight bytes; nearly all text is ASCII, and long answers are read here. */
static bool is_ascii(const char *s)
{
	uint64_t bytes;

	memcpy(&bytes, s, sizeof(bytes));
	return !(bytes & 0x8080808080808080);
}

bool text_is_utf8(const char *s, size_t n)
{
	uint32_t code;

	for (size_t i = 0, length; i < n; i += length) {
		length = sizeof(uint64_t);
		if (n - i >= length && is_ascii(s + i))
			continue;
		length = sequence_length((const uint8_t *)s + i, n - i, &code);
		if (length == 0)
			return false;
	}
	return true;
}

/* Appends a piece that fits whole, with room for the NUL; false when it does not. */
static bool append(char *ret, size_t size, size_t *used, const char *piece, size_t n)
{
	if (n >= size - *used)
		return false;
	memcpy(ret + *used, piece, n);
	*used += n;
	return true;
}

/* How many bytes from s on, at most `max`, are printable ASCII, as most texts are throughout. */
static size_t plain_length(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] >= ' ' && s[n] <= '~')
		n++;
	return n;
}

/* Characters above ASCII that a terminal acts upon instead of showing them. */
static bool is_control(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x80, 0x9F },	    /* C1: U+009B alone starts an escape sequence */
		{ 0x61C, 0x61C },   /* Arabic letter mark */
		{ 0x200E, 0x200F }, /* left-to-right and right-to-left marks */
		{ 0x2028, 0x202E }, /* line and paragraph separator, embeddings, overrides */
		{ 0x2066, 0x2069 }, /* isolates */
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* Writes the escape of one character (`length` 0: of a malformed byte); its size, 0 = as it is. */
static size_t escape(uint8_t byte, size_t length, uint32_t code, char ret[static ESCAPE_BYTES])
{
	static const char short_names[] = { ['\n'] = 'n', ['\t'] = 't', ['\x1b'] = 'e' };

	if (length == 1 && byte < sizeof(short_names) && short_names[byte])
		return (size_t)snprintf(ret, ESCAPE_BYTES, "\\%c", short_names[byte]);
	if (length == 0 || byte < 0x20 || byte == 0x7F)
		return (size_t)snprintf(ret, ESCAPE_BYTES, "\\x%02x", byte);
	if (length > 1 && is_control(code))
		return (size_t)snprintf(ret, ESCAPE_BYTES, "\\u{%04X}", code);
	return 0;
}

/* As escape(): a malformed byte becomes U+FFFD. */
static size_t replace(uint8_t byte, size_t length, uint32_t code, char ret[static ESCAPE_BYTES])
{
	return length == 0 ? (size_t)snprintf(ret, ESCAPE_BYTES, REPLACEMENT) : 0;
}

/* Copies s, but for what `rewrite` writes instead of a character, and cuts it to fit. */
static char *copy(const char *s, char *ret, size_t size,
		  size_t (*rewrite)(uint8_t byte, size_t length, uint32_t code, char *ret))
{
	size_t left = strlen(s), used = 0, length, n;
	char piece[ESCAPE_BYTES];
	uint32_t code = 0;
	bool fits = true;

	if (size == 0)
		return ret;
	for (; left > 0 && fits; s += length, left -= length) {
		length = plain_length(s, size - used - 1);
		if (length > 0 && append(ret, size, &used, s, length))
			continue;
		length = sequence_length((const uint8_t *)s, left, &code);
		n = rewrite((uint8_t)*s, length, code, piece);
		fits = append(ret, size, &used, n > 0 ? piece : s, n > 0 ? n : length);
		if (length == 0)
			length = 1;
	}
	ret[used] = '\0';
	return ret;
}

char *text_to_utf8(const char *s, char *ret, size_t size)
{
	return copy(s, ret, size, replace);
}

char *text_escape_terminal(const char *s, char *ret, size_t size)
{
	return copy(s, ret, size, escape);
}

bool text_begins_with(const char *s, const char *begin)
{
	return strncmp(s, begin, strlen(begin)) == 0;
}

bool text_ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

bool text_is_one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

const char *text_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

unsigned text_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	/* three rows: the one being filled and the two above it, used in turn */
	unsigned rows[3][DISTANCE_MAX + 1];

	if (n > DISTANCE_MAX || m > DISTANCE_MAX)
		return (unsigned)(n > m ? n : m);
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3],
			 *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			row[j] = min3(above[j] + 1, row[j - 1] + 1,
				      above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    above2[j - 2] + 1 < row[j])
				row[j] = above2[j - 2] + 1;
		}
	}
	return rows[n % 3][m];
}

const char *text_nearer(const char *given, const char *best, const char *candidate)
{
	unsigned distance = text_distance(given, candidate);

	/* half of the letters must be right, or every short name is near to every other */
	if (strlen(given) > DISTANCE_MAX || distance > NEAR_DISTANCE_MAX ||
	    distance * 2 > strlen(candidate))
		return best;
	return best && text_distance(given, best) <= distance ? best : candidate;
}

bool text_is_shell_word(const char *s)
{
	return *s && *s != '-' &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "/._-@:+,=")];
}

bool text_shell_quote(const char *s, char *ret, size_t size)
{
	char seen[QUOTED_BYTES];
	size_t used = 0;

	ret[0] = '\0';
	/* what a terminal may not see as it is, nobody can copy from there either */
	if (!*s || *s == '-' || strcmp(text_escape_terminal(s, seen, sizeof(seen)), s) != 0)
		return false;
	if (text_is_shell_word(s)) {
		snprintf(ret, size, "%s", strlen(s) < size ? s : "");
		return *ret;
	}
	/* a quote takes four bytes, and there is one more at the end */
	for (; used + sizeof("''\\'''") <= size; s++) {
		if (!used)
			ret[used++] = '\'';
		if (!*s) {
			strcpy(ret + used, "'");
			return true;
		}
		if (*s == '\'')
			used += (size_t)sprintf(ret + used, "'\\''");
		else
			ret[used++] = *s;
	}
	ret[0] = '\0';
	return false;
}
