/* SPDX-License-Identifier: MIT */
/*
 * What SQLite leaves out without a word: it takes a write-ahead log as far as the checksums hold,
 * and what was committed behind a damaged frame is lost with the next write.
 */
#ifndef DATABASE_WAL_H
#define DATABASE_WAL_H

#include <stddef.h>

/*
 * Looks at the log of the database at path, before somebody opens that.  "" in ret_said, or the
 * sentence for commits that are left out, and where a copy of the log is.  An unfinished
 * transaction, and what is left of an older log, are no such commits.
 */
void wal_check(const char *path, char *ret_said, size_t size);

#endif
