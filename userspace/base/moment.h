/* SPDX-License-Identifier: MIT */
/*
 * Durations and moments as people write them.  Pure: `now` is handed in, the zone is the process's
 * own (localtime_r).  A text that cannot be read is refused, never guessed.
 */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include <stddef.h>
#include <stdint.h>

#define DURATION_MAX_S (100LL * 366 * 86400)

/*
 * Reads `45s`, `30m`, `2h30m`, `1d`, `1w2d`: positive numbers with a unit (w d h m s), each unit at
 * most once, largest first, nothing else.  Seconds.  0, or -EINVAL with where it went wrong in
 * *ret_at (offset into text; may be NULL).
 */
int duration_parse(const char *text, int64_t *ret_s, size_t *ret_at);

/* The same in microseconds, where `ms` and `us` are units too: `5ms`, `1s500ms`, `250us`. */
int duration_parse_us(const char *text, int64_t *ret_us, size_t *ret_at);

/* "45s", "3m", "2h", "5d": the largest unit only, as tables show an age. */
char *duration_format_short(int64_t s, char ret[static 16]);

/* The same, and "a moment" for less than a second: for a sentence that goes on with "ago". */
char *duration_format_ago(int64_t s, char ret[static 16]);

/* "45s", "2h 15m", "3d 4h": the two largest units. */
char *duration_format_long(int64_t s, char ret[static 32]);

/* Local clocks never show what was asked for: they are put forward over it. */
#define MOMENT_SKIPPED 1

/*
 * Reads RFC 3339 (`2024-02-28T02:00:00Z`, `…+01:00`, `…+0100`), `2024-02-28`,
 * `2024-02-28 14:00[:05] [+0100]`, `2024-02-28 2:00am`, `Feb 28 [2024] [2:47:23]` (this year's
 * without one), `14:00`, `2:47am`, `now`, `today [TIME]`, `yesterday [TIME]`.  A time without a day
 * is today's, or yesterday's when today's is still to come.  Unix seconds.
 * 0, -EINVAL with the offset of the fault, or MOMENT_SKIPPED with the moment of the change.
 */
int moment_parse(const char *text, int64_t now, int64_t *ret_unix, size_t *ret_at);

/* "2:47:23" local when it is of today, else "Feb 28 2:47:23", with the year when it differs. */
char *moment_format_log(int64_t unix_s, int64_t now, char ret[static 32]);

/* "2:10am" local. */
char *moment_format_clock(int64_t unix_s, char ret[static 16]);

/* "Feb 28" local, with the year when it is not now's. */
char *moment_format_day(int64_t unix_s, int64_t now, char ret[static 32]);

#endif
