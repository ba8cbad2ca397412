/* SPDX-License-Identifier: MIT */
#include "base/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define DAY_S	 86400
#define US_PER_S INT64_C(1000000)

struct duration_unit {
	const char *name;
	int64_t length; /* in seconds, or in microseconds */
};

/* Largest first: the order in which they may be written. */
static const struct duration_unit units[] = {
	{ "w", 7 * DAY_S }, { "d", DAY_S }, { "h", 3600 }, { "m", 60 }, { "s", 1 },
};

static const struct duration_unit fine_units[] = {
	{ "w", 7 * DAY_S *US_PER_S },
	{ "d", DAY_S *US_PER_S },
	{ "h", 3600 * US_PER_S },
	{ "m", 60 * US_PER_S },
	{ "s", US_PER_S },
	{ "ms", 1000 },
	{ "us", 1 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int refuse(const char *text, const char *at, size_t *ret_at)
{
	if (ret_at)
		*ret_at = (size_t)(at - text);
	return -EINVAL;
}

/* Reads digits up to max; false when there are none, they mean zero, or too much. */
static bool read_amount(const char **p, int64_t max, int64_t *ret)
{
	int64_t amount = 0;

	if (!is_digit(**p))
		return false;
	for (; is_digit(**p); (*p)++) {
		amount = amount * 10 + (**p - '0');
		if (amount > max)
			return false;
	}
	*ret = amount;
	return amount > 0;
}

/* The unit that begins at p, the longest name first: "5ms" is not five minutes.  n_known = none. */
static size_t find_unit(const char *p, const struct duration_unit *known, size_t from,
			size_t n_known)
{
	size_t found = n_known, longest = 0;

	for (size_t i = from; i < n_known; i++) {
		size_t n = strlen(known[i].name);

		if (n > longest && strncmp(p, known[i].name, n) == 0) {
			found = i;
			longest = n;
		}
	}
	return found;
}

static int parse(const char *text, const struct duration_unit *known, size_t n_known, int64_t max,
		 int64_t *ret, size_t *ret_at)
{
	size_t next_unit = 0;
	const char *p = text;
	int64_t total = 0;

	do {
		const char *number = p;
		int64_t amount;
		size_t unit;

		if (!read_amount(&p, max, &amount))
			return refuse(text, number, ret_at);
		unit = find_unit(p, known, next_unit, n_known);
		if (unit == n_known)
			return refuse(text, p, ret_at);
		if (amount > max / known[unit].length || amount * known[unit].length > max - total)
			return refuse(text, number, ret_at);
		total += amount * known[unit].length;
		next_unit = unit + 1;
		p += strlen(known[unit].name);
	} while (*p);
	*ret = total;
	return 0;
}

int duration_parse(const char *text, int64_t *ret_s, size_t *ret_at)
{
	return parse(text, units, ARRAY_SIZE(units), DURATION_MAX_S, ret_s, ret_at);
}

int duration_parse_us(const char *text, int64_t *ret_us, size_t *ret_at)
{
	return parse(text, fine_units, ARRAY_SIZE(fine_units), DURATION_MAX_S * US_PER_S, ret_us,
		     ret_at);
}

static int64_t clamp_duration(int64_t s)
{
	if (s < 0)
		return 0;
	return s > DURATION_MAX_S ? DURATION_MAX_S : s;
}

/* Index of the largest unit that shows s, from days downward: nobody reads ages in weeks. */
static size_t largest_unit(int64_t s)
{
	size_t unit = 1;

	while (unit < ARRAY_SIZE(units) - 1 && s < units[unit].length)
		unit++;
	return unit;
}

char *duration_format_short(int64_t s, char ret[static 16])
{
	size_t unit;

	s = clamp_duration(s);
	unit = largest_unit(s);
	snprintf(ret, 16, "%lld%s", (long long)(s / units[unit].length), units[unit].name);
	return ret;
}

char *duration_format_ago(int64_t s, char ret[static 16])
{
	return s < 1 ? strcpy(ret, "a moment") : duration_format_short(s, ret);
}

char *duration_format_long(int64_t s, char ret[static 32])
{
	int64_t rest;
	size_t unit;

	s = clamp_duration(s);
	unit = largest_unit(s);
	duration_format_short(s, ret);
	rest = s % units[unit].length;
	if (unit + 1 < ARRAY_SIZE(units) && rest >= units[unit + 1].length)
		snprintf(ret + strlen(ret), 32 - strlen(ret), " %lld%s",
			 (long long)(rest / units[unit + 1].length), units[unit + 1].name);
	return ret;
}
