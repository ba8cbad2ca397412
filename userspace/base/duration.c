/* SPDX-License-Identifier: MIT */
#include "base/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define DAY_S 86400

struct duration_unit {
	char letter;
	int64_t seconds;
};

/* Largest first: the order in which they may be written. */
static const struct duration_unit units[] = {
	{ 'w', 7 * DAY_S }, { 'd', DAY_S }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
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

/* Reads digits up to DURATION_MAX_S; false when there are none, they mean zero, or too much. */
static bool read_amount(const char **p, int64_t *ret)
{
	int64_t amount = 0;

	if (!is_digit(**p))
		return false;
	for (; is_digit(**p); (*p)++) {
		amount = amount * 10 + (**p - '0');
		if (amount > DURATION_MAX_S)
			return false;
	}
	*ret = amount;
	return amount > 0;
}

int duration_parse(const char *text, int64_t *ret_s, size_t *ret_at)
{
	size_t next_unit = 0, unit;
	const char *p = text;
	int64_t total = 0;

	do {
		const char *number = p;
		int64_t amount;

		if (!read_amount(&p, &amount))
			return refuse(text, number, ret_at);
		for (unit = next_unit; unit < ARRAY_SIZE(units); unit++)
			if (units[unit].letter == *p)
				break;
		if (unit == ARRAY_SIZE(units))
			return refuse(text, p, ret_at);
		/* both factors are bounded: at most DURATION_MAX_S times a week fits int64_t */
		total += amount * units[unit].seconds;
		if (total > DURATION_MAX_S)
			return refuse(text, number, ret_at);
		next_unit = unit + 1;
		p++;
	} while (*p);
	*ret_s = total;
	return 0;
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

	while (unit < ARRAY_SIZE(units) - 1 && s < units[unit].seconds)
		unit++;
	return unit;
}

char *duration_format_short(int64_t s, char *ret)
{
	size_t unit;

	s = clamp_duration(s);
	unit = largest_unit(s);
	snprintf(ret, 16, "%lld%c", (long long)(s / units[unit].seconds), units[unit].letter);
	return ret;
}

char *duration_format_long(int64_t s, char *ret)
{
	int64_t rest;
	size_t unit;

	s = clamp_duration(s);
	unit = largest_unit(s);
	duration_format_short(s, ret);
	rest = s % units[unit].seconds;
	if (unit + 1 < ARRAY_SIZE(units) && rest >= units[unit + 1].seconds)
		snprintf(ret + strlen(ret), 32 - strlen(ret), " %lld%c",
			 (long long)(rest / units[unit + 1].seconds), units[unit + 1].letter);
	return ret;
}
