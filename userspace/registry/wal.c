/* SPDX-License-Identifier: MIT */
#include "registry/wal.h"

#include <stdlib.h>

/* More than most commits write; small enough that no commit is held up by it: 17 make it whole. */
#define STEP_BYTES (256 * 1024)
/* SQLite's unixWrite() takes less than 128 kB at a time: of 256 kB it would write nothing. */
#define WRITE_BYTES (64 * 1024)

bool wal_extend(sqlite3 *db)
{
	static char zeros[WRITE_BYTES]; /* not const: would be as many bytes of the program */
	sqlite3_file *log = NULL;
	sqlite3_int64 size;
	int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	if (rc != SQLITE_OK || !log || !log->pMethods)
		return false;
	if (log->pMethods->xFileSize(log, &size) != SQLITE_OK || size >= atoll(WAL_KEEP_BYTES))
		return false;
	/* no frame begins with zeros: a reader ends there */
	for (int done = 0; rc == SQLITE_OK && done < STEP_BYTES; done += WRITE_BYTES)
		rc = log->pMethods->xWrite(log, zeros, WRITE_BYTES, size + done);
	if (rc == SQLITE_OK)
		return true;
	log->pMethods->xTruncate(log, size); /* what is left of the disk is for the commit */
	return false;
}
