/* SPDX-License-Identifier: MIT */
/* The connection that reads and writes the rows: how it is opened, and what it is set to. */
#ifndef DATABASE_CONNECTION_H
#define DATABASE_CONNECTION_H

#include <sqlite3.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * How long a write waits for another's: a person's shell in a transaction, a backup.  Longer than
 * any sane write, short enough that a forgotten BEGIN in a shell turns claims into errors and does
 * not stop the daemon's loop for good.
 */
#define CONNECTION_BUSY_MS 2000

/*
 * Opens without changing anything yet: until the file is accepted, closing leaves the log alone.
 * 0 and *ret_owner, whose the file is; or a negative errno, with a sentence of `size` bytes at most
 * in ret_error, which is left as it was where the errno says it all.  *ret is to be closed in
 * either case.
 */
int connection_open(const char *path, sqlite3 **ret, uid_t *ret_owner, char *ret_error,
		    size_t size);

/*
 * Once the schema is ours: sets every pragma, and reads it back.  0; a negative errno with a
 * sentence in ret_error: -EOPNOTSUPP where SQLite keeps another value than was set.
 */
int connection_set_up(sqlite3 *db, const char *path, char *ret_error, size_t size);

/* The file is one that closing may write into. */
void connection_accept(sqlite3 *db);

#endif
