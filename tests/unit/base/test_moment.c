/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/moment.h"
#include "testing.h"
#include "unit/random.h"

#define ROUNDS	  20000
#define UNTOUCHED INT64_MIN

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

/* Unix seconds of a moment in UTC. */
static int64_t utc(int year, int month, int day, int hour, int minute, int second)
{
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month - 1,
			 .tm_mday = day,
			 .tm_hour = hour,
			 .tm_min = minute,
			 .tm_sec = second };

	return timegm(&tm);
}

/* Wednesday, 28 February 2024, 12:34:56 UTC */
#define NOW utc(2024, 2, 28, 12, 34, 56)

static int64_t parsed(const char *text, int64_t now)
{
	int64_t t = UNTOUCHED;
	size_t at = 0;
	int r = moment_parse(text, now, &t, &at);

	if (r != 0)
		print_error("'%s' is refused at %zu\n", text, at);
	assert_int_equal(r, 0);
	return t;
}

static void assert_refused(const char *text, int64_t now, size_t expected_at)
{
	int64_t t = UNTOUCHED;
	size_t at = 999;

	if (moment_parse(text, now, &t, &at) == 0)
		print_error("'%s' is accepted\n", text);
	assert_int_equal(moment_parse(text, now, &t, &at), -EINVAL);
	assert_int_equal(t, UNTOUCHED);
	if (at != expected_at)
		print_error("'%s'\n", text);
	assert_int_equal(at, expected_at);
}

/* The clocks skip what the text says; they go on at `goes_on_at`. */
static void assert_skipped(const char *text, int64_t now, int64_t goes_on_at)
{
	int64_t t = UNTOUCHED;

	assert_int_equal(moment_parse(text, now, &t, NULL), MOMENT_SKIPPED);
	assert_int_equal(t, goes_on_at);
}

TEST(durations_are_read)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "45s", 45 },
		{ "30m", 1800 },
		{ "2h30m", 9000 },
		{ "1d", 86400 },
		{ "1w2d", 777600 },
		{ "1w1d1h1m1s", 694861 },
		{ "90m", 5400 },
		{ "05s", 5 },
		{ "3162240000s", DURATION_MAX_S },
		{ "36600d", DURATION_MAX_S },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t s = UNTOUCHED;

		assert_int_equal(duration_parse(cases[i].text, &s, NULL), 0);
		assert_int_equal(s, cases[i].seconds);
	}
}

TEST(fine_durations_are_read_in_microseconds)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{ "5ms", 5000 },
		{ "250us", 250 },
		{ "1s500ms", 1500000 },
		{ "2m", 120000000 },
		{ "1m1ms", 60001000 },
		{ "1w2d3h4m5s6ms7us", INT64_C(788645006007) },
		{ "36600d", DURATION_MAX_S * INT64_C(1000000) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t us = UNTOUCHED;

		assert_int_equal(duration_parse_us(cases[i].text, &us, NULL), 0);
		assert_int_equal(us, cases[i].us);
	}
}

TEST(faulty_fine_durations_are_refused_with_the_place)
{
	static const struct {
		const char *text;
		size_t at;
	} cases[] = {
		{ "", 0 },	    { "5", 1 },
		{ "0ms", 0 },	    { "ms", 0 },
		{ "5 ms", 1 },	    { "5ns", 1 },
		{ "5ms1s", 4 },	    { "5msx", 3 },
		{ "1ms1ms", 4 },    { "1.5ms", 1 },
		{ "5MS", 1 },	    { "36601d", 0 },
		{ "36600d1us", 6 }, { "99999999999w", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t us = UNTOUCHED;
		size_t at = 999;

		assert_int_equal(duration_parse_us(cases[i].text, &us, &at), -EINVAL);
		assert_int_equal(us, UNTOUCHED);
		assert_int_equal(at, cases[i].at);
	}
}

TEST(seconds_know_no_milliseconds)
{
	int64_t s = UNTOUCHED;
	size_t at = 999;

	assert_int_equal(duration_parse("5ms", &s, &at), -EINVAL);
	assert_int_equal(at, 2);
}

TEST(a_clock_time_and_a_day_are_written_as_people_say_them)
{
	static const struct {
		int hour, minute;
		const char *text;
	} cases[] = { { 0, 5, "12:05am" },  { 2, 10, "2:10am" },  { 11, 59, "11:59am" },
		      { 12, 0, "12:00pm" }, { 13, 30, "1:30pm" }, { 23, 59, "11:59pm" } };
	char text[32];

	set_zone("UTC");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(
			moment_format_clock(utc(2024, 2, 28, cases[i].hour, cases[i].minute, 0),
					    text),
			cases[i].text);
	assert_string_equal(moment_format_day(utc(2024, 2, 8, 1, 0, 0), NOW, text), "Feb 8");
	assert_string_equal(moment_format_day(utc(2023, 12, 31, 1, 0, 0), NOW, text),
			    "Dec 31 2023");
	set_zone("America/New_York");
	assert_string_equal(moment_format_clock(utc(2024, 2, 28, 7, 10, 0), text), "2:10am");
}

TEST(faulty_durations_are_refused_with_the_place)
{
	static const struct {
		const char *text;
		size_t at;
	} cases[] = {
		{ "", 0 },	   { "2h30", 4 },	 { "0s", 0 },
		{ "1h0m", 2 },	   { "30", 2 },		 { "h", 0 },
		{ "1x", 1 },	   { "1H", 1 },		 { "-5s", 0 },
		{ "+5s", 0 },	   { " 5s", 0 },	 { "5s ", 2 },
		{ "5 s", 1 },	   { "30m2h", 4 },	 { "1h1h", 3 },
		{ "1.5h", 1 },	   { "1e3s", 1 },	 { "36601d", 0 },
		{ "36600d1s", 6 }, { "3162240001s", 0 }, { "99999999999999999999s", 0 },
		{ "5229w", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t s = UNTOUCHED;
		size_t at = 999;

		assert_int_equal(duration_parse(cases[i].text, &s, &at), -EINVAL);
		assert_int_equal(s, UNTOUCHED);
		if (at > strlen(cases[i].text))
			print_error("'%s'\n", cases[i].text);
		assert_in_range(at, 0, strlen(cases[i].text));
		/* a number that is too large is refused at the number or within it */
		if (strlen(cases[i].text) < 8)
			assert_int_equal(at, cases[i].at);
	}
}

TEST(random_texts_are_durations_only_when_written_as_such)
{
	struct random_source r = random_start(__func__);
	char text[16];
	int accepted = 0;

	for (int i = 0; i < 10 * ROUNDS; i++) {
		int64_t s = UNTOUCHED;
		size_t at = 999;

		if (i % 10 == 0)
			random_bytes(&r, text, sizeof(text));
		else
			random_string(&r, "0159wdhms", 9, text, sizeof(text));
		if (duration_parse(text, &s, &at) == 0) {
			accepted++;
			assert_true(s > 0 && s <= DURATION_MAX_S);
			assert_int_equal(strspn(text, "0123456789wdhms"), strlen(text));
			assert_non_null(strchr("wdhms", text[strlen(text) - 1]));
		} else {
			assert_int_equal(s, UNTOUCHED);
			assert_in_range(at, 0, strlen(text));
		}
	}
	assert_in_range(accepted, 100, 10 * ROUNDS);
}

TEST(a_written_duration_is_read_back)
{
	struct random_source r = random_start(__func__);
	char text[32], *space;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t s = (int64_t)(random_u64(&r) % DURATION_MAX_S) >> random_below(&r, 32);
		int64_t back = UNTOUCHED;

		if (s == 0)
			continue;
		duration_format_long(s, text);
		space = strchr(text, ' ');
		if (space)
			memmove(space, space + 1, strlen(space));
		assert_int_equal(duration_parse(text, &back, NULL), 0);
		/* two units: what is left out is less than the second one */
		assert_true(back <= s);
		assert_true(s - back < 3600);
		duration_format_short(s, text);
		assert_int_equal(duration_parse(text, &back, NULL), 0);
		assert_true(back <= s && s - back < 86400);
	}
}

TEST(ages_show_their_largest_unit)
{
	static const struct {
		int64_t s;
		const char *brief, *full;
	} cases[] = {
		{ 0, "0s", "0s" },	   { 45, "45s", "45s" },
		{ 59, "59s", "59s" },	   { 60, "1m", "1m" },
		{ 61, "1m", "1m 1s" },	   { 3599, "59m", "59m 59s" },
		{ 3600, "1h", "1h" },	   { 3601, "1h", "1h" },
		{ 8100, "2h", "2h 15m" },  { 86399, "23h", "23h 59m" },
		{ 86400, "1d", "1d" },	   { 273600, "3d", "3d 4h" },
		{ 5 * 86400, "5d", "5d" }, { -3, "0s", "0s" },
		{ 700000, "8d", "8d 2h" }, { INT64_MAX, "36600d", "36600d" },
		{ INT64_MIN, "0s", "0s" },
	};
	char brief[16], full[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(duration_format_short(cases[i].s, brief), cases[i].brief);
		assert_string_equal(duration_format_long(cases[i].s, full), cases[i].full);
	}
}

TEST(moments_are_read_in_every_documented_form)
{
	const struct {
		const char *text;
		int64_t unix_s;
	} cases[] = {
		{ "now", NOW },
		{ "2024-02-28T02:00:00Z", utc(2024, 2, 28, 2, 0, 0) },
		{ "2024-02-28t02:00:00z", utc(2024, 2, 28, 2, 0, 0) },
		{ "2024-02-28T02:00:00+01:00", utc(2024, 2, 28, 1, 0, 0) },
		{ "2024-02-28T02:00:00-05:30", utc(2024, 2, 28, 7, 30, 0) },
		{ "2024-02-28T02:00:00.999Z", utc(2024, 2, 28, 2, 0, 0) },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "2024-02-28", utc(2024, 2, 28, 0, 0, 0) },
		{ "2024-02-29", utc(2024, 2, 29, 0, 0, 0) },
		{ "2000-02-29", utc(2000, 2, 29, 0, 0, 0) },
		{ "2024-02-28 14:00", utc(2024, 2, 28, 14, 0, 0) },
		{ "2024-02-28 14:00:05", utc(2024, 2, 28, 14, 0, 5) },
		{ "2024-02-28 2:00am", utc(2024, 2, 28, 2, 0, 0) },
		{ "2024-02-28 12:00am", utc(2024, 2, 28, 0, 0, 0) },
		{ "2024-02-28 12:00pm", utc(2024, 2, 28, 12, 0, 0) },
		{ "2024-02-28 11:59PM", utc(2024, 2, 28, 23, 59, 0) },
		{ "today", utc(2024, 2, 28, 0, 0, 0) },
		{ "today 9pm",
		  utc(2024, 2, 28, 21, 0, 0) }, /* the day was said: it may be to come */
		{ "yesterday", utc(2024, 2, 27, 0, 0, 0) },
		{ "yesterday 9pm", utc(2024, 2, 27, 21, 0, 0) },
		{ "yesterday 0:05", utc(2024, 2, 27, 0, 5, 0) },
		{ "2:47am", utc(2024, 2, 28, 2, 47, 0) },
		{ "12:34:56", NOW },
		{ "12:34:57", NOW + 1 - 86400 }, /* still to come: yesterday's */
		{ "14:00", utc(2024, 2, 27, 14, 0, 0) },
		{ "9pm", utc(2024, 2, 27, 21, 0, 0) },
		{ "00:00", utc(2024, 2, 28, 0, 0, 0) },
	};

	set_zone("UTC0");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t t = parsed(cases[i].text, NOW);

		if (t != cases[i].unix_s)
			print_error("'%s'\n", cases[i].text);
		assert_int_equal(t, cases[i].unix_s);
	}
}

TEST(near_misses_are_refused_with_the_place)
{
	static const struct {
		const char *text;
		size_t at;
	} cases[] = {
		{ "", 0 },
		{ "25:00", 0 },
		{ "24:00", 0 },
		{ "12:60", 3 },
		{ "12:5", 4 },
		{ "12:00:60", 6 },
		{ "13:00pm", 0 },
		{ "0:30am", 0 },
		{ "14", 2 },
		{ "0pm", 0 },
		{ "2:47 am", 4 },
		{ "2:47xm", 4 },
		{ "2:47am ", 6 },
		{ " 2:47am", 0 },
		{ "noon", 0 },
		{ "Now", 0 },
		{ "now ", 0 },
		{ "tomorrow", 0 },
		{ "today9pm", 5 },
		{ "yesterday  9pm", 10 },
		{ "yesterday ", 10 },
		{ "2024-13-01", 5 },
		{ "2024-00-01", 5 },
		{ "2024-02-30", 8 },
		{ "2023-02-29", 8 },
		{ "1900-02-29", 8 },
		{ "2024-04-31", 8 },
		{ "2024-02-00", 8 },
		{ "2024-2-28", 6 },
		{ "24-02-28", 0 },
		{ "2024-02-28x", 10 },
		{ "2024-02-28 ", 11 },
		{ "2024-02-28 14", 13 },
		{ "2024-02-28T14:00", 16 },
		{ "2024-02-28T14:00:00", 19 },
		{ "2024-02-28T24:00:00Z", 11 },
		{ "2024-02-28T2:00:00Z", 12 },
		{ "2024-02-28T02:00:00.Z", 20 },
		{ "2024-02-28T02:00:00+24:00", 20 },
		{ "2024-02-28T02:00:00ZZ", 20 },
		{ "20240228", 4 },
		{ "99999-01-01", 4 },
		{ "-1:00", 0 },
	};

	set_zone("UTC0");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i].text, NOW, cases[i].at);
}

/* Clocks in Berlin went from 2:00 to 3:00 on 31 March 2024, and from 3:00 to 2:00 on 27 October. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

TEST(what_the_log_prints_is_read_back)
{
	static const int64_t ago_s[] = { 0, 59, 3600, 86400, 20 * 86400, 400LL * 86400 };
	static const char *const zones[] = { BERLIN, "UTC0", "<+0545>-5:45",
					     "NZST-12NZDT,M9.5.0,M4.1.0/3" };

	for (size_t z = 0; z < ARRAY_SIZE(zones); z++) {
		set_zone(zones[z]);
		for (size_t i = 0; i < ARRAY_SIZE(ago_s); i++) {
			char stamp[32];

			moment_format_log(NOW - ago_s[i], NOW, stamp);
			assert_int_equal(parsed(stamp, NOW), NOW - ago_s[i]);
		}
	}
}

TEST(offsets_are_read_as_date_and_git_print_them)
{
	set_zone("UTC0");
	assert_int_equal(parsed("2024-02-28T02:00:00+0100", NOW), utc(2024, 2, 28, 1, 0, 0));
	assert_int_equal(parsed("2024-02-28 02:00:00 +0100", NOW), utc(2024, 2, 28, 1, 0, 0));
	assert_int_equal(parsed("2024-02-28 2:00-05:30", NOW), utc(2024, 2, 28, 7, 30, 0));
	assert_refused("2024-02-28T02:00:00+01000", NOW, 24);
	assert_refused("2024-02-28 02:00:00 +2500", NOW, 21);
	assert_refused("Feb 30", NOW, 4);
	assert_refused("Feb 28 2:47:23 x", NOW, 15);
}

TEST(a_time_that_the_clocks_skip_is_refused)
{
	set_zone(BERLIN);
	assert_skipped("2024-03-31 2:30am", NOW, utc(2024, 3, 31, 1, 0, 0));
	assert_skipped("2024-03-31 02:00", NOW, utc(2024, 3, 31, 1, 0, 0));
	assert_skipped("Mar 31 2:30:00", NOW, utc(2024, 3, 31, 1, 0, 0));
	assert_int_equal(parsed("2024-03-31 01:59:59", NOW), utc(2024, 3, 31, 0, 59, 59));
	assert_int_equal(parsed("2024-03-31 03:00", NOW), utc(2024, 3, 31, 1, 0, 0));
	/* a zone that is said has no such gap */
	assert_int_equal(parsed("2024-03-31T02:30:00+01:00", NOW), utc(2024, 3, 31, 1, 30, 0));
}

TEST(a_skipped_time_alone_is_refused_after_the_jump_and_yesterdays_before)
{
	set_zone(BERLIN);
	assert_skipped("2:30am", utc(2024, 3, 31, 12, 0, 0), utc(2024, 3, 31, 1, 0, 0));
	assert_int_equal(parsed("2:30am", utc(2024, 3, 31, 0, 30, 0)), utc(2024, 3, 30, 1, 30, 0));
	assert_int_equal(parsed("2:30am", utc(2024, 4, 1, 12, 0, 0)), utc(2024, 4, 1, 0, 30, 0));
}

TEST(a_time_that_comes_twice_means_its_first_occurrence)
{
	set_zone(BERLIN);
	assert_int_equal(parsed("2024-10-27 02:30", NOW), utc(2024, 10, 27, 0, 30, 0));
	assert_int_equal(parsed("2024-10-27 03:00", NOW), utc(2024, 10, 27, 2, 0, 0));
}

/* Clocks in New York went from 2:00 to 3:00 on 10 March 2024, from 2:00 to 1:00 on 3 November. */
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"

TEST(clocks_west_of_greenwich_skip_and_repeat_by_the_same_rules)
{
	set_zone(NEW_YORK);
	assert_skipped("2024-03-10 2:00am", NOW, utc(2024, 3, 10, 7, 0, 0));
	assert_skipped("2024-03-10 02:59:59", NOW, utc(2024, 3, 10, 7, 0, 0));
	assert_int_equal(parsed("2024-03-10 1:59am", NOW), utc(2024, 3, 10, 6, 59, 0));
	assert_int_equal(parsed("2024-03-10 3:00am", NOW), utc(2024, 3, 10, 7, 0, 0));
	assert_int_equal(parsed("2024-11-03 1:30am", NOW), utc(2024, 11, 3, 5, 30, 0));
	assert_int_equal(parsed("2024-11-03 2:00am", NOW), utc(2024, 11, 3, 7, 0, 0));
	assert_int_equal(parsed("2024-11-03", NOW), utc(2024, 11, 3, 4, 0, 0));
}

/* Each half hour of a year, written as the clocks show it, is read as that or its first time. */
TEST(what_clocks_show_is_read_back_all_year_round)
{
	static const char *const zones[] = { BERLIN, NEW_YORK, "UTC0", "NPT-5:45" };

	for (size_t z = 0; z < ARRAY_SIZE(zones); z++) {
		int repeated = 0;

		set_zone(zones[z]);
		for (time_t t = utc(2024, 1, 1, 0, 0, 0); t < utc(2025, 1, 1, 0, 0, 0); t += 1800) {
			struct tm tm;
			char text[32];
			int64_t read;

			assert_non_null(localtime_r(&t, &tm));
			strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
			read = parsed(text, NOW);
			if (read != t)
				assert_int_equal(read, t - 3600);
			repeated += read != t;
		}
		assert_int_equal(repeated, z < 2 ? 2 : 0);
	}
}

/* Where midnight is the hour that is skipped (as in Brazil until 2018), the day begins at 1:00. */
TEST(a_day_without_midnight_begins_with_its_first_moment)
{
	set_zone("BRT3BRST,M11.1.0/0,M2.3.0/0");
	assert_int_equal(parsed("2018-11-04", NOW), utc(2018, 11, 4, 3, 0, 0));
	assert_skipped("2018-11-04 0:30", NOW, utc(2018, 11, 4, 3, 0, 0));
	assert_int_equal(parsed("today", utc(2018, 11, 4, 15, 0, 0)), utc(2018, 11, 4, 3, 0, 0));
}

TEST(yesterday_is_a_calendar_day_also_when_days_have_23_hours)
{
	set_zone(BERLIN);
	/* 0:30 on 1 April; the day before had 23 hours */
	assert_int_equal(parsed("yesterday", utc(2024, 3, 31, 22, 30, 0)),
			 utc(2024, 3, 30, 23, 0, 0));
	/* 1 January and 1 March */
	assert_int_equal(parsed("yesterday 9pm", utc(2024, 1, 1, 12, 0, 0)),
			 utc(2023, 12, 31, 20, 0, 0));
	assert_int_equal(parsed("yesterday 9pm", utc(2024, 3, 1, 12, 0, 0)),
			 utc(2024, 2, 29, 20, 0, 0));
}

TEST(every_existing_local_time_is_read_back)
{
	static const char *const zones[] = { "UTC0", BERLIN, "EST5EDT,M3.2.0,M11.1.0",
					     "<+0545>-5:45",
					     "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0" };
	struct random_source r = random_start(__func__);

	for (int i = 0; i < ROUNDS; i++) {
		time_t t = (time_t)(random_u64(&r) % 4102444800U), back;
		struct tm tm, tm_back;
		char text[64];

		if (i % (ROUNDS / 5) == 0)
			set_zone(zones[i / (ROUNDS / 5)]);
		localtime_r(&t, &tm);
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
		back = parsed(text, NOW);
		localtime_r(&back, &tm_back);
		assert_int_equal(tm.tm_hour, tm_back.tm_hour);
		assert_int_equal(tm.tm_min, tm_back.tm_min);
		assert_true(back == t || (back < t && t - back <= 3600));
	}
}

TEST(random_texts_never_confuse_moments)
{
	static const char *const pieces[] = { "2024",  "-02", "-28",   "T",	   " ", "14",
					      ":00",   ":05", "am",    "pm",	   "Z", "+",
					      "01:00", "now", "today", "yesterday" };
	struct random_source r = random_start(__func__);
	int accepted = 0;

	set_zone(BERLIN);
	for (int i = 0; i < 5 * ROUNDS; i++) {
		int64_t t = UNTOUCHED;
		char text[128] = "";
		size_t at = 999;

		if (i % 5 == 0)
			random_bytes(&r, text, 32);
		else
			for (unsigned n = random_below(&r, 8); n > 0; n--)
				strcat(text, pieces[random_below(&r, ARRAY_SIZE(pieces))]);
		if (moment_parse(text, NOW, &t, &at) == 0) {
			accepted++;
			assert_true(t != UNTOUCHED);
		} else {
			assert_int_equal(t, UNTOUCHED);
			assert_in_range(at, 0, strlen(text));
		}
	}
	assert_in_range(accepted, 100, 5 * ROUNDS);
}

TEST(log_times_name_the_day_only_when_it_is_another)
{
	char text[32];

	set_zone("UTC0");
	assert_string_equal(moment_format_log(utc(2024, 2, 28, 2, 47, 23), NOW, text), "2:47:23");
	assert_string_equal(moment_format_log(utc(2024, 2, 28, 14, 7, 3), NOW, text), "14:07:03");
	assert_string_equal(moment_format_log(utc(2024, 2, 27, 2, 47, 23), NOW, text),
			    "Feb 27 2:47:23");
	assert_string_equal(moment_format_log(utc(2023, 2, 28, 2, 47, 23), NOW, text),
			    "Feb 28 2023 2:47:23");
	assert_string_equal(moment_format_log(INT64_MAX, NOW, text), "9223372036854775807");
}

TEST(log_times_are_local)
{
	char text[32];

	set_zone(BERLIN);
	assert_string_equal(moment_format_log(utc(2024, 2, 28, 2, 47, 23), NOW, text), "3:47:23");
	assert_string_equal(moment_format_log(utc(2024, 2, 27, 23, 30, 0), NOW, text), "0:30:00");
}

TEST_MAIN(NULL, NULL)
