/* SPDX-License-Identifier: MIT */
/* Errors of the database in words.  Private to the room. */
#ifndef REGISTRY_WORDS_H
#define REGISTRY_WORDS_H

#include <stddef.h>

/*
 * One sentence for a negative errno: which file, what is wrong with it, and what to do.  SQLite's
 * own words (detail, "" = none) are added where they say more than the errno.  Returns error.
 */
int words_of_error(const char *path, int error, const char *detail, char *ret, size_t size);

#endif
