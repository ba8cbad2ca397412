/* SPDX-License-Identifier: MIT */
/* Durations and moments as people write them. */
#include "base/moment.h"

#include <time.h>

#include "fuzz/fuzz.h"

#define NOW 1709085600 /* 2024-02-28 02:00 UTC */

static void check_duration(const char *text)
{
	size_t at = 0;
	int64_t value;
	char shown[32];

	if (duration_parse(text, &value, &at) < 0)
		must(at <= strlen(text));
	else
		must(value > 0 && value <= DURATION_MAX_S && duration_format_long(value, shown) &&
		     duration_format_short(value, shown));
	at = 0;
	if (duration_parse_us(text, &value, &at) < 0)
		must(at <= strlen(text));
	else
		must(value > 0 && value <= DURATION_MAX_S * 1000000);
}

/* A moment that was read is, written in full, read as the same. */
static void check_moment(const char *text)
{
	char full[64], shown[32];
	int64_t value, again;
	size_t at = 0;
	struct tm tm;
	time_t t;

	if (moment_parse(text, NOW, &value, &at) < 0) {
		must(at <= strlen(text));
		return;
	}
	t = (time_t)value;
	must(gmtime_r(&t, &tm));
	moment_format_log(value, NOW, shown);
	must(strlen(shown) < sizeof(shown));
	moment_format_day(value, NOW, shown);
	if (tm.tm_year < 70 || tm.tm_year > 8099 || value < 86400)
		return; /* what is no year of four digits; the zone may lead before 1970 */
	must(strftime(full, sizeof(full), "%Y-%m-%dT%H:%M:%SZ", &tm));
	must(moment_parse(full, NOW, &again, NULL) == 0 && again == value);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);

	setenv("TZ", "UTC", 1);
	check_duration(text);
	check_moment(text);
	return 0;
}
