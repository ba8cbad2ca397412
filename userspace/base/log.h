/* SPDX-License-Identifier: MIT */
/*
 * The daemon's own log: one line a fact on stderr, with journald's <N> priority prefix when stderr
 * is the journal ($JOURNAL_STREAM).  Library rooms return errors; only daemon/ and api/ log.
 *
 * What a client or the kernel can make happen again and again does not fill a disk with it: each
 * place in the program that logs has LOG_SITE_LINES lines per LOG_SITE_WINDOW_S, and says how many
 * it left out; a file of the daemon's own is kept under LOG_FILE_MAX_BYTES.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_SITE_LINES	  20 /* enough to see what happens; a burst of more says nothing new */
#define LOG_SITE_WINDOW_S 60
#define LOG_FILE_MAX_BYTES \
	(512 * 1024) /* months of a daemon that is well; and of the rest the end */
#define LOG_FILE_KEEP_BYTES (LOG_FILE_MAX_BYTES / 2) /* the newest lines, when it is full */

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* Lines above this level are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* When stderr is the regular file at the path, it is the daemon's own: it is kept short. */
void log_bound_file(const char *path);

/* A place in the program that logs. */
struct log_site {
	struct log_site *next;	  /* of those that have logged */
	const char *where;	  /* "FILE:LINE"; NULL until it has */
	uint64_t since_s;	  /* of its window; CLOCK_MONOTONIC */
	unsigned lines, left_out; /* in the window */
};

/* False when the line is to be left out.  Debugging wants all of them: those are not counted. */
bool log_site_admits(struct log_site *site, const char *where, enum log_level level);

/* Says what is left out by now, once, of each site: for the end of the program. */
void log_say_left_out(void);

#define LOG_TEXT(x)	   #x
#define LOG_NUMBER_TEXT(x) LOG_TEXT(x)
#define log_at(level, ...)                                                                  \
	do {                                                                                \
		static struct log_site site_;                                               \
		if (log_site_admits(&site_, __FILE__ ":" LOG_NUMBER_TEXT(__LINE__), level)) \
			log_line(level, __VA_ARGS__);                                       \
	} while (0)

#define log_error(...)	 log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
