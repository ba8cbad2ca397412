/* SPDX-License-Identifier: MIT */
/* Errors of the database: as errno, and in words. */
#ifndef DATABASE_WORDS_H
#define DATABASE_WORDS_H

#include <stddef.h>

/* The negative errno that stands for an SQLite result code; system_errno refines I/O errors. */
int words_errno_of_sqlite(int rc, int system_errno);

/*
 * One sentence for a negative errno: which file, what is wrong with it, and what to do.  SQLite's
 * own words (detail, "" = none) are added where they say more than the errno.  Returns error.
 */
int words_of_error(const char *path, int error, const char *detail, char *ret, size_t size);

#endif
