/* SPDX-License-Identifier: MIT */
/*
 * What a service writes, in files of the caller's state directory: logs/ID.log, and when that has
 * grown to LOG_FILE_MAX_BYTES it becomes ID.log.1, which becomes ID.log.2.  Each line has the
 * moment in front, in UTC: lines of several services can be put in order by their text.
 *
 *   2026-11-29T02:47:23.104211Z Listening on 5742
 *
 * Where a run begins behind what an earlier one wrote, a line of ours says so.
 */
#ifndef CLI_SUPERVISE_LOG_FILE_H
#define CLI_SUPERVISE_LOG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_FILE_MAX_BYTES  (10 * 1024 * 1024)
#define LOG_FILES	    3 /* of each service */
#define LOG_FILE_STAMP_SIZE sizeof("2026-11-29T02:47:23.104211Z ")
#define LOG_FILE_STAMP_LEN  (LOG_FILE_STAMP_SIZE - 1)

/* The directory of the caller's; 0, negative errno. */
int log_file_directory(char ret[static PATH_MAX]);
/* The same, and makes it where it is missing. */
int log_file_make_directory(char ret[static PATH_MAX]);
/* The n-th file of a service, 0 = the newest.  Returns ret. */
const char *log_file_name(const char *service, int n, char ret[static NAME_MAX + 1]);
/* Returns ret. */
const char *log_file_stamp(int64_t unix_us, char ret[static LOG_FILE_STAMP_SIZE]);

#define LOG_FILE_RUN_NOTE "[pd: run-" /* how that line begins */

struct log_file {
	char path[PATH_MAX];
	int fd;	     /* -1 = it cannot be opened */
	size_t size; /* of the file */
	char *bytes; /* that are to be written */
	size_t n;
	int error;	 /* of the last write; 0 = it was good */
	bool is_told;	 /* the caller knows of it */
	uint64_t missed; /* lines since the first that could not be written */
};

/*
 * Opens, or makes, the file and its directory.  0, negative errno, which no later call tells again:
 * lines are taken all the same, and are missed.
 */
int log_file_open(struct log_file *f, const char *service);

/* Gathers a line; whole ones are written when there are many. */
void log_file_add(struct log_file *f, const char *line, size_t n);

/*
 * Writes what was gathered.  Negative errno when this is the first time that it cannot be written;
 * else 0.  What is lost meanwhile is counted, and a line says so as soon as there is room again.
 */
int log_file_flush(struct log_file *f);

#endif
