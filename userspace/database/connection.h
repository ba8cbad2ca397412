/* SPDX-License-Identifier: MIT */
/* The connection that reads and writes the rows: how it is opened, and what it is set to. */
#ifndef DATABASE_CONNECTION_H
#define DATABASE_CONNECTION_H

#include <sqlite3.h>
#include <stddef.h>
#include <sys/types.h>

#define CONNECTION_BUSY_MS 2000 /* that a write waits for another program's */

/*
 * Opens without changing anything yet: until the file is accepted, closing leaves the log alone.
 * *ret_owner: whose the file is.  0, or a negative errno, mostly with a sentence in ret_error; *ret
 * is to be closed in either case.
 */
int connection_open(const char *path, sqlite3 **ret, uid_t *ret_owner, char *ret_error,
		    size_t size);

/* Once the schema is ours: sets every pragma, and reads it back.  The same. */
int connection_set_up(sqlite3 *db, const char *path, char *ret_error, size_t size);

/* The file is one that closing may write into. */
void connection_accept(sqlite3 *db);

#endif
