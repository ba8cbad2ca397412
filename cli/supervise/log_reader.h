/* SPDX-License-Identifier: MIT */
/* Reads what log_file.h wrote: the files of one service, oldest first, and what comes meanwhile. */
#ifndef CLI_SUPERVISE_LOG_READER_H
#define CLI_SUPERVISE_LOG_READER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "cli/supervise/log_file.h"

struct log_reader {
	char path[PATH_MAX];	/* of the newest file */
	FILE *files[LOG_FILES]; /* oldest first; NULL = read, or not there */
	ino_t newest;		/* inode of the last of them; 0 = there is none yet */
	char *bytes;
	size_t size;

	size_t n_lines; /* that were there at the beginning */
	/* The line that was read: its stamp, and what the service wrote. */
	const char *stamp, *line;
	size_t n;
};

/*
 * Begins with the last lines of a service (SIZE_MAX = all), none of them older than a stamp
 * (NULL = any).  0, also where there is no file; negative errno.
 */
int log_reader_open(struct log_reader *r, const char *service, size_t last, const char *since);
/* The next line; false where there is none yet.  Goes on in the file that took the place of one. */
bool log_reader_next(struct log_reader *r);
void log_reader_close(struct log_reader *r);

#endif
