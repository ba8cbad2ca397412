/* SPDX-License-Identifier: MIT */
#include "database/words.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define ELSEWHERE "or choose another place with PORT_DADDY_HOME"
#define DAMAGED	  "is damaged: what can be read moves into a new file within seconds; try again"

static const struct {
	int rc, error;
} errno_of_rc[] = {
	{ SQLITE_FULL, -ENOSPC },	 { SQLITE_BUSY, -EBUSY },
	{ SQLITE_LOCKED, -EBUSY },	 { SQLITE_NOMEM, -ENOMEM },
	{ SQLITE_READONLY, -EROFS },	 { SQLITE_PERM, -EACCES },
	{ SQLITE_AUTH, -EACCES },	 { SQLITE_CORRUPT, -EUCLEAN },
	{ SQLITE_NOTADB, -EMEDIUMTYPE }, { SQLITE_TOOBIG, -E2BIG },
	{ SQLITE_CONSTRAINT, -EEXIST },	 { SQLITE_INTERRUPT, -EINTR },
	{ SQLITE_CANTOPEN, -EACCES },	 { SQLITE_IOERR, -EIO },
};

int words_errno_of_sqlite(int rc, int system_errno)
{
	int primary = rc & 0xff; /* the rest of an extended code says where, not what */

	if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && system_errno > 0)
		return -system_errno;
	for (size_t i = 0; i < ARRAY_SIZE(errno_of_rc); i++)
		if (errno_of_rc[i].rc == primary)
			return errno_of_rc[i].error;
	return -EIO;
}

/* Errnos that mean something else of a database than strerror() says of them. */
static const struct {
	int error;
	const char *sentence; /* behind the path */
} rows[] = {
	{ EBUSY, "is locked by another program (a shell in a transaction, a backup): end that and "
		 "try again" },
	{ EUCLEAN, DAMAGED },
	{ EMEDIUMTYPE, DAMAGED },
	{ ENOSPC, "needs room, and the disk is full: make room and try again" },
	{ EDQUOT, "needs room, and the quota of its disk is used up: make room and try again" },
	{ EROFS, "is read-only: make the file or its filesystem writable, " ELSEWHERE },
	{ EACCES, "cannot be opened by the daemon's user: give it to that user, " ELSEWHERE },
	{ EPERM, "cannot be changed by the daemon's user: give it to that user, " ELSEWHERE },
	{ ENOMEM, "needs more memory than there is: end what uses it up and try again" },
	{ EOVERFLOW, "has a counter at the end of its range, which only a hand can have written: "
		     "set it back in the sqlite3 shell" },
	{ E2BIG, "takes no value of that length: try again with less" },
	{ EEXIST, "has a row that contradicts this one, which only a hand can have written: look "
		  "for it in the sqlite3 shell" },
};

int words_of_error(const char *path, int error, const char *detail, char *ret, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].error == -error) {
			snprintf(ret, size, "%s %s", path, rows[i].sentence);
			return error;
		}
	snprintf(ret, size, "%s cannot be read and written (%s%s%s): look at its disk, " ELSEWHERE,
		 path, strerror(-error), *detail ? "; " : "", detail);
	return error;
}
