/* SPDX-License-Identifier: MIT */
#include "base/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/net.h"
#include "base/text.h"

/* Not isalnum(): the answer may not depend on the locale. */
static bool is_part_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

static int refuse(const char **ret_why, const char *why)
{
	if (ret_why)
		*ret_why = why;
	return -EINVAL;
}

int identity_check(const char *id, const char **ret_why)
{
	unsigned parts = 1;
	size_t length = 0;

	if (!*id)
		return refuse(ret_why, "a name is empty");
	for (const char *c = id; *c; c++) {
		if (*c == ':') {
			if (length == 0)
				return refuse(ret_why, "a part of the name is empty");
			if (++parts > 3)
				return refuse(ret_why, "a name has at most three parts");
			length = 0;
		} else if (!is_part_char(*c)) {
			return refuse(ret_why, "a name has only letters, digits, '.', '_', '-', "
					       "and ':' between its parts");
		} else if (++length > IDENTITY_PART_MAX) {
			return refuse(ret_why, "a part of a name has at most 64 characters");
		}
	}
	if (length == 0)
		return refuse(ret_why, "a part of the name is empty");
	return 0;
}

int identity_check_of_user(const char *id, const char **ret_why)
{
	const char *at = strchr(id, '@');
	char bare[IDENTITY_MAX + 1];
	size_t length = at ? strlen(at + 1) : 0;

	if (!at)
		return identity_check(id, ret_why);
	if ((size_t)(at - id) > IDENTITY_MAX)
		return refuse(ret_why, "a part of a name has at most 64 characters");
	if (identity_check(identity_bare(id, bare), ret_why))
		return -EINVAL;
	if (length == 0 || length > IDENTITY_USER_MAX)
		return refuse(ret_why, "behind '@' stands no user");
	for (const char *c = at + 1; *c; c++)
		if (!is_part_char(*c))
			return refuse(ret_why, "behind '@' stands no user");
	return 0;
}

bool identity_is_number(const char *id)
{
	return *id && !id[strspn(id, "0123456789")];
}

const char *identity_bare(const char *id, char ret[static IDENTITY_MAX + 1])
{
	snprintf(ret, IDENTITY_MAX + 1, "%.*s", (int)strcspn(id, "@"), id);
	return ret;
}

static bool is_letter_or_digit(char c)
{
	return is_part_char(c) && !strchr("._-", c);
}

/* --- near ones --- */

#define TOO_FAR 1000

/* The part that begins there, and where the next one does; NULL behind the last. */
static const char *split(const char *id, char ret[static IDENTITY_PART_MAX + 1])
{
	size_t n = strcspn(id, ":");

	snprintf(ret, IDENTITY_PART_MAX + 1, "%.*s", (int)n, id);
	return id[n] ? id + n + 1 : NULL;
}

static unsigned distance(const char *given, const char *id)
{
	char wanted[IDENTITY_PART_MAX + 1], part[IDENTITY_PART_MAX + 1];
	unsigned sum = 0;

	if (!strchr(given, ':') && strchr(id, ':'))
		id = strchr(id, ':') + 1;
	while (given && id) {
		given = split(given, wanted);
		id = split(id, part);
		if (strcmp(wanted, part) != 0 && !text_nearer(wanted, NULL, part))
			return TOO_FAR;
		sum += text_distance(wanted, part);
	}
	return given ? TOO_FAR : sum;
}

const char *identity_nearer(const char *given, const char *best, const char *candidate)
{
	unsigned far = distance(given, candidate);

	return far == TOO_FAR || (best && distance(given, best) <= far) ? best : candidate;
}

bool identity_part_from(const char *text, char ret[static IDENTITY_PART_MAX + 1])
{
	bool says_something = !*text;
	size_t n = 0;

	for (; text[n] && n < IDENTITY_PART_MAX; n++) {
		ret[n] = is_part_char(text[n]) ? text[n] : '-';
		says_something |= is_letter_or_digit(text[n]);
	}
	if (n == 0)
		ret[n++] = 'x';
	ret[n] = '\0';
	if (!says_something) /* of "日本" and "中国" nothing would be left but dashes */
		snprintf(ret, IDENTITY_PART_MAX + 1, "x-%08x",
			 (uint32_t)XXH64(text, strlen(text), 0));
	return says_something;
}

int lock_name_check(const char *name, const char **ret_why)
{
	if (!*name)
		return refuse(ret_why, "the name is empty");
	if (strnlen(name, LOCK_NAME_MAX + 1) > LOCK_NAME_MAX)
		return refuse(ret_why, "the name of a lock has at most 128 characters");
	if (*name == '-')
		return refuse(ret_why, "the name of a lock does not begin with '-'");
	for (const char *c = name; *c; c++)
		if (!is_part_char(*c) && *c != ':')
			return refuse(ret_why, "the name of a lock has only letters, digits, '.', "
					       "'_', '-' and ':'");
	return 0;
}

int pattern_check(const char *pattern, const char **ret_why)
{
	if (!*pattern)
		return refuse(ret_why, "a pattern is empty");
	if (strnlen(pattern, PATTERN_MAX + 1) > PATTERN_MAX)
		return refuse(ret_why, "a pattern has at most 256 characters");
	for (const char *c = pattern; *c; c++)
		if (!is_part_char(*c) && !strchr(":@*?", *c))
			return refuse(ret_why, "a pattern has only letters, digits, '.', '_', '-', "
					       "':', '@', '*' and '?'");
	return 0;
}

/*
 * Only the last '*' is ever tried again: whatever an earlier one could still take, the last one can
 * take as well.  So the time is at most the product of the lengths.
 */
bool pattern_match(const char *pattern, const char *id)
{
	const char *after_star = NULL, *retry = NULL;

	while (*id) {
		if (*pattern == '*') {
			after_star = ++pattern;
			retry = id;
		} else if (*pattern == '?' || *pattern == *id) {
			pattern++;
			id++;
		} else if (after_star) {
			pattern = after_star;
			id = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool identity_is_meant(const char *pattern, const char *id)
{
	char bare[IDENTITY_MAX + 1];

	if (!pattern_has_wildcard(pattern))
		return strcmp(pattern, id) == 0;
	return pattern_match(pattern, id) ||
	       (strchr(id, '@') && pattern_match(pattern, identity_bare(id, bare)));
}

bool pattern_has_wildcard(const char *pattern)
{
	return strpbrk(pattern, "*?") != NULL;
}

int port_range_parse(const char *text, struct port_range *ret)
{
	const char *dash = strchr(text, '-');
	struct port_range range;
	char first[8];

	if (!dash || (size_t)(dash - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (net_port_parse(first, &range.first) < 0 || net_port_parse(dash + 1, &range.last) < 0)
		return -EINVAL;
	if (range.first > range.last)
		return -EINVAL;
	*ret = range;
	return 0;
}

uint16_t port_candidate(const char *id, struct port_range range, unsigned n)
{
	uint64_t size = (uint64_t)range.last - range.first + 1;

	return (uint16_t)(range.first + (XXH64(id, strlen(id), 0) % size + n % size) % size);
}
