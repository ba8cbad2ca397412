/* SPDX-License-Identifier: MIT */
/*
 * The schema, its versions, and whose file a file is.  A refusal never touches the file: it is
 * inspected through a connection that neither locks nor recovers anything.
 */
#ifndef DATABASE_SCHEMA_H
#define DATABASE_SCHEMA_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

/* "PDdy" in PRAGMA application_id: what file(1) shows, and what tells our file from others'. */
#define SCHEMA_APPLICATION_ID 0x50446479

/*
 * Words that a published migration and statements share; so they are never changed.
 *
 * An index holds the sessions of which this is true: the same words let a query find it.
 */
#define SCHEMA_SESSION_IS_ACTIVE \
	"(ifnull(endedAt, 0) <= 0 AND ifnull(status, '') NOT IN ('completed', 'stalled'))"

/* What a note takes: its text, and so much for the row, so that empty ones are not free. */
#define SCHEMA_NOTE_ROW_BYTES "128"
#define SCHEMA_NOTE_BYTES(row) \
	"(ifnull(length(CAST(" row "text AS BLOB)), 0) + " SCHEMA_NOTE_ROW_BYTES ")"

/* Counts all notes anew into noteSums, which has to be empty. */
#define SCHEMA_NOTE_SUMS_FILL                                                                  \
	"INSERT INTO noteSums(kind, owner, notes, bytes) "                                     \
	"SELECT 'user', ifnull(uid, -1), count(*), sum(" SCHEMA_NOTE_BYTES(                    \
		"") ") "                                                                       \
		    "FROM notes GROUP BY 2 UNION ALL "                                         \
		    "SELECT 'session', ifnull(session, ''), count(*), sum(" SCHEMA_NOTE_BYTES( \
			    "") ") FROM notes GROUP BY 2 UNION ALL "                           \
				"SELECT 'all', '', count(*), ifnull(sum(" SCHEMA_NOTE_BYTES(   \
					"") "), 0) FROM notes"

enum schema_file {
	SCHEMA_FILE_NEW = 0, /* missing or without content: to be filled */
	SCHEMA_FILE_OURS,    /* closed properly */
	SCHEMA_FILE_UNCLEAN, /* ours, with a log to be recovered: worth a check */
};

/* The newest version that this program knows. */
int schema_version(void);

/* What lies at path: an enum schema_file, or a negative errno with a sentence in ret_error. */
int schema_inspect(const char *path, char *ret_error, size_t size);

/*
 * Brings the file forward to schema_version(), each step in a transaction of its own.  The first
 * step is committed to the file itself and not to a log, so that from then on the file alone says
 * whose it is.  0, negative errno with a sentence in ret_error.
 */
int schema_migrate(sqlite3 *db, const char *path, char *ret_error, size_t size);

/* The same up to an older version, which has to be one that was published. */
int schema_migrate_to(sqlite3 *db, const char *path, int target, char *ret_error, size_t size);

/* -EPROTONOSUPPORT, and the sentence for a file that a newer program wrote. */
int schema_refuse_newer(const char *path, int64_t version, char *ret_error, size_t size);

/* The version of an open file, as an SQLite result code. */
int schema_read_version(sqlite3 *db, int *ret);

#endif
