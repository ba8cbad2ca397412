/* SPDX-License-Identifier: MIT */
#include "base/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"

#define DAY_S 86400

/*
 * Local times are resolved by trying the zone's offsets of the day before and the day after (no
 * zone changes twice in two days), instead of mktime(), which moves a time that does not exist to
 * one that does.  The rules:
 *   - a time that the clocks skip is refused, with the moment at which they do; where only a day
 *     was given and its midnight is skipped, the day begins with its first moment;
 *   - a time that comes twice means its first occurrence.
 */

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

struct clock_time {
	int hour, minute, second;
};

/* Reads between min and max digits into *ret; false, with *p where it went wrong, otherwise. */
static bool read_number(const char **p, int min, int max, int *ret)
{
	int digits = 0, value = 0;

	for (; digits < max && is_digit(**p); digits++, (*p)++)
		value = value * 10 + (**p - '0');
	*ret = value;
	return digits >= min;
}

/* As read_number, within bounds; *p goes back to the number when it is out of them. */
static bool read_bounded(const char **p, int digits_min, int digits_max, int low, int high,
			 int *ret)
{
	const char *start = *p;

	if (!read_number(p, digits_min, digits_max, ret))
		return false;
	if (*ret >= low && *ret <= high)
		return true;
	*p = start;
	return false;
}

static bool read_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* 1 to 12 for a month's name in any case, which *p passes; 0 when none stands there. */
static int read_month_name(const char **p)
{
	for (size_t i = 0; i < ARRAY_SIZE(months); i++) {
		if (strncasecmp(*p, months[i], 3) == 0) {
			*p += 3;
			return (int)i + 1;
		}
	}
	return 0;
}

static bool read_date(const char **p, struct tm *ret)
{
	int year, month, day;

	if (!read_number(p, 4, 4, &year) || !read_char(p, '-') ||
	    !read_bounded(p, 2, 2, 1, 12, &month) || !read_char(p, '-') ||
	    !read_bounded(p, 2, 2, 1, days_in_month(year, month), &day))
		return false;
	*ret = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
	return true;
}

/* "am" or "pm" in any case: 0 or 12 hours to add; -1 when neither stands there. */
static int read_half(const char **p)
{
	bool am = strncasecmp(*p, "am", 2) == 0;

	if (!am && strncasecmp(*p, "pm", 2) != 0)
		return -1;
	*p += 2;
	return am ? 0 : 12;
}

/* H:MM[:SS], H:MM[:SS]am, Ham. */
static bool read_time(const char **p, struct clock_time *ret)
{
	const char *start = *p;
	struct clock_time t = { 0 };
	bool minutes = false;
	int half;

	if (!read_bounded(p, 1, 2, 0, 23, &t.hour))
		return false;
	if (read_char(p, ':')) {
		minutes = true;
		if (!read_bounded(p, 2, 2, 0, 59, &t.minute))
			return false;
		if (read_char(p, ':') && !read_bounded(p, 2, 2, 0, 59, &t.second))
			return false;
	}
	half = read_half(p);
	if (half < 0 && !minutes)
		return false; /* a bare number may be anything */
	if (half >= 0) {
		if (t.hour < 1 || t.hour > 12) {
			*p = start;
			return false;
		}
		t.hour = t.hour % 12 + half;
	}
	*ret = t;
	return true;
}

static bool same_local_time(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday &&
	       a->tm_hour == b->tm_hour && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

static long offset_at(time_t t)
{
	struct tm tm;

	return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

/*
 * The first moment at which local clocks show `tm` (fields normalised by timegm).  False when they
 * skip it; *ret is then the moment at which they jump over it.
 */
static bool local_to_unix(struct tm tm, int64_t *ret)
{
	time_t naive = timegm(&tm);
	/* the earlier offset first: it gives the first of two occurrences */
	long offsets[] = { offset_at(naive - DAY_S), offset_at(naive + DAY_S) };
	struct tm shown;
	time_t low, high;

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		time_t t = naive - offsets[i];

		if (localtime_r(&t, &shown) && same_local_time(&shown, &tm)) {
			*ret = t;
			return true;
		}
	}
	/* skipped: search the first second that already has the later offset */
	low = naive - DAY_S;
	high = naive + DAY_S;
	while (high - low > 1) {
		time_t middle = low + (high - low) / 2;

		if (offset_at(middle) == offsets[1])
			high = middle;
		else
			low = middle;
	}
	*ret = high;
	return false;
}

static struct tm at_time(struct tm day, const struct clock_time *t)
{
	day.tm_hour = t->hour;
	day.tm_min = t->minute;
	day.tm_sec = t->second;
	return day;
}

/* The local calendar day of `now`, moved by `days`, at midnight. */
static bool local_day(int64_t now, int days, struct tm *ret)
{
	time_t t = now;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return false;
	*ret = (struct tm){ .tm_year = tm.tm_year,
			    .tm_mon = tm.tm_mon,
			    .tm_mday = tm.tm_mday + days };
	timegm(ret);
	return true;
}

/* Z, +HH:MM, or +HHMM as date and git print it: seconds east of Greenwich. */
static bool read_zone(const char **p, int *ret_s)
{
	int sign, hours, minutes;

	*ret_s = 0;
	if (**p == 'Z' || **p == 'z') {
		(*p)++;
		return true;
	}
	if (**p != '+' && **p != '-')
		return false;
	sign = *(*p)++ == '-' ? -1 : 1;
	if (!read_bounded(p, 2, 2, 0, 23, &hours))
		return false;
	read_char(p, ':');
	if (!read_bounded(p, 2, 2, 0, 59, &minutes))
		return false;
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* The rest of RFC 3339 after "T"; a fraction of a second is read and dropped. */
static int parse_rfc3339(const char *text, const char *p, struct tm day, int64_t *ret,
			 size_t *ret_at)
{
	struct clock_time t;
	struct tm utc;
	int zone_s;

	if (!read_bounded(&p, 2, 2, 0, 23, &t.hour) || !read_char(&p, ':') ||
	    !read_bounded(&p, 2, 2, 0, 59, &t.minute) || !read_char(&p, ':') ||
	    !read_bounded(&p, 2, 2, 0, 59, &t.second))
		return refuse(text, p, ret_at);
	if (read_char(&p, '.')) {
		if (!is_digit(*p))
			return refuse(text, p, ret_at);
		while (is_digit(*p))
			p++;
	}
	if (!read_zone(&p, &zone_s) || *p)
		return refuse(text, p, ret_at);
	utc = at_time(day, &t);
	*ret = timegm(&utc) - zone_s;
	return 0;
}

/* Nothing, " TIME" or " TIME ZONE" (as git prints it), after a day. */
static int parse_day(const char *text, const char *p, struct tm day, int64_t *ret, size_t *ret_at)
{
	struct clock_time t;
	int zone_s;

	if (!*p) {
		local_to_unix(day, ret);
		return 0;
	}
	if (!read_char(&p, ' ') || !read_time(&p, &t))
		return refuse(text, p, ret_at);
	day = at_time(day, &t);
	if (!*p)
		return local_to_unix(day, ret) ? 0 : MOMENT_SKIPPED;
	read_char(&p, ' ');
	if (!read_zone(&p, &zone_s) || *p)
		return refuse(text, p, ret_at);
	*ret = timegm(&day) - zone_s;
	return 0;
}

/* "Feb 28 2:47:23", with a year behind the day where it is not `now`'s: as the log prints it. */
static int parse_log_stamp(const char *text, int64_t now, int64_t *ret, size_t *ret_at)
{
	const char *p = text, *at_day, *at_year;
	int month = read_month_name(&p), day, year;
	struct tm today;

	if (!month || !read_char(&p, ' ') || !local_day(now, 0, &today))
		return refuse(text, month ? p : text, ret_at);
	at_day = p;
	if (!read_number(&p, 1, 2, &day))
		return refuse(text, p, ret_at);
	at_year = p;
	if (!read_char(&p, ' ') || !read_number(&p, 4, 4, &year)) {
		p = at_year;
		year = today.tm_year + 1900;
	}
	if (day < 1 || day > days_in_month(year, month))
		return refuse(text, at_day, ret_at);
	today = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
	return parse_day(text, p, today, ret, ret_at);
}

/* A time alone: today's, or yesterday's when today's is still to come. */
static int parse_time(const char *text, int64_t now, int64_t *ret, size_t *ret_at)
{
	const char *p = text;
	struct clock_time t;
	struct tm day;
	bool exists;

	if (!read_time(&p, &t) || *p || !local_day(now, 0, &day))
		return refuse(text, p, ret_at);
	exists = local_to_unix(at_time(day, &t), ret);
	if (*ret > now) {
		if (!local_day(now, -1, &day))
			return refuse(text, text, ret_at);
		exists = local_to_unix(at_time(day, &t), ret);
	}
	return exists ? 0 : MOMENT_SKIPPED;
}

int moment_parse(const char *text, int64_t now, int64_t *ret_unix, size_t *ret_at)
{
	static const struct {
		const char *word;
		int days;
	} words[] = { { "today", 0 }, { "yesterday", -1 } };
	const char *p = text;
	int64_t moment = now;
	struct tm day;
	int r = 0;

	if (strcmp(text, "now") == 0)
		goto done;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i].word);

		if (strncmp(text, words[i].word, n) != 0)
			continue;
		if (!local_day(now, words[i].days, &day))
			return refuse(text, text, ret_at);
		r = parse_day(text, text + n, day, &moment, ret_at);
		goto done;
	}
	if (is_digit(*text) && strspn(text, "0123456789") < 3) {
		r = parse_time(text, now, &moment, ret_at);
	} else if (!is_digit(*text)) {
		r = parse_log_stamp(text, now, &moment, ret_at);
	} else if (!read_date(&p, &day)) {
		r = refuse(text, p, ret_at);
	} else if (*p == 'T' || *p == 't') {
		r = parse_rfc3339(text, p + 1, day, &moment, ret_at);
	} else {
		r = parse_day(text, p, day, &moment, ret_at);
	}
done:
	if (r >= 0)
		*ret_unix = moment;
	return r;
}

char *moment_format_log(int64_t unix_s, int64_t now, char ret[static 32])
{
	time_t then_t = unix_s, now_t = now;
	struct tm then, today;
	int n = 0;

	if (!localtime_r(&then_t, &then) || !localtime_r(&now_t, &today)) {
		snprintf(ret, 32, "%lld", (long long)unix_s); /* a year beyond int */
		return ret;
	}
	if (then.tm_year != today.tm_year || then.tm_yday != today.tm_yday)
		n = snprintf(ret, 32, "%s %d ", months[then.tm_mon], then.tm_mday);
	if (then.tm_year != today.tm_year)
		n += snprintf(ret + n, 32 - (size_t)n, "%lld ", 1900LL + then.tm_year);
	snprintf(ret + n, 32 - (size_t)n, "%d:%02d:%02d", then.tm_hour, then.tm_min, then.tm_sec);
	return ret;
}

char *moment_format_clock(int64_t unix_s, char ret[static 16])
{
	time_t t = unix_s;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		snprintf(ret, 16, "?"); /* a year beyond int */
	else
		snprintf(ret, 16, "%d:%02d%s", (tm.tm_hour + 11) % 12 + 1, tm.tm_min,
			 tm.tm_hour < 12 ? "am" : "pm");
	return ret;
}

char *moment_format_day(int64_t unix_s, int64_t now, char ret[static 32])
{
	time_t then_t = unix_s, now_t = now;
	struct tm then, today;

	if (!localtime_r(&then_t, &then) || !localtime_r(&now_t, &today))
		snprintf(ret, 32, "%lld", (long long)unix_s);
	else if (then.tm_year != today.tm_year)
		snprintf(ret, 32, "%s %d %lld", months[then.tm_mon], then.tm_mday,
			 1900LL + then.tm_year);
	else
		snprintf(ret, 32, "%s %d", months[then.tm_mon], then.tm_mday);
	return ret;
}
