/* SPDX-License-Identifier: MIT */
/*
 * The schema, its versions, and whose file a file is.  A refusal never touches the file: it is
 * inspected through a connection that neither locks nor recovers anything.
 */
#ifndef REGISTRY_SCHEMA_H
#define REGISTRY_SCHEMA_H

#include <sqlite3.h>
#include <stddef.h>

/* "PDdy" in PRAGMA application_id: what file(1) shows, and what tells our file from others'. */
#define SCHEMA_APPLICATION_ID 0x50446479

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

#endif
