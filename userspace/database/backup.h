/* SPDX-License-Identifier: MIT */
/*
 * The backup: a copy beside the database, "port-registry.backup.db" for "port-registry.db".  It is
 * made in steps of less than a millisecond, and takes the place of the last one when it is whole.
 */
#ifndef DATABASE_BACKUP_H
#define DATABASE_BACKUP_H

#include <stdbool.h>
#include <stddef.h>

struct sqlite3;

#define BACKUP_AGE_S (20 * 3600) /* at most a day old, with a daemon that sleeps at night */

bool backup_is_there(const char *path);
/* There is none that is younger than BACKUP_AGE_S. */
bool backup_is_due(const char *path);

/* The sentence of a database that cannot be read: what is wrong (`fault`), and the command that
 * goes back to the backup, with its age; where there is none, what is left to do. */
void backup_words(const char *path, const char *fault, char *ret, size_t size);

/* One that is being made. */
struct backup_copy;

/* Of an open database, which outlives it.  NULL: not now (a full disk).  backup_finish() or
 * backup_abandon(). */
struct backup_copy *backup_begin(const char *path, struct sqlite3 *db);
/* Some pages more, outside of any transaction.  0; -EIO: it is to be abandoned. */
int backup_copy_some(struct backup_copy *b);
/* All pages are there.  The disk writes them meanwhile: to wait for all at once takes long. */
bool backup_is_copied(const struct backup_copy *b);
/* Consumes one that is copied: it is the backup from now on. */
void backup_finish(struct backup_copy *b);
/* Consumes it; the last whole one stays.  NULL is allowed. */
void backup_abandon(struct backup_copy *b);

/*
 * Puts the backup in the place of the file at path, which nobody has open, and sets that one aside.
 * 0, and what was done in ret_said; a negative errno with a sentence in it.
 */
int backup_restore(const char *path, char *ret_said, size_t size);

#endif
