/* SPDX-License-Identifier: MIT */
#include "database/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "database/words.h"

#define TEXT_OF(number)	 TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* The log's file is cut to this when it begins anew: its frames (sync.c), and a commit beyond. */
#define WAL_KEEP_BYTES "4456448"

/* Set and read back; `expected` is what the pragma then answers. */
static const struct {
	const char *name, *value, *expected;
} pragmas[] = {
	{ "busy_timeout", TEXT_OF(CONNECTION_BUSY_MS), TEXT_OF(CONNECTION_BUSY_MS) },
	{ "journal_mode", "WAL", "wal" },
	/* against power loss each commit is synced, by sync.c; else SQLite syncs what has to be */
	{ "synchronous", "NORMAL", "1" },
	{ "foreign_keys", "ON", "1" },
	{ "cache_size", "-2000", "-2000" }, /* KiB */
	{ "temp_store", "MEMORY", "2" },    /* no files outside of the state directory */
	{ "mmap_size", "0", "0" },	    /* an I/O error is an error, not a SIGBUS */
	{ "wal_autocheckpoint", "0", "0" },
	{ "journal_size_limit", WAL_KEEP_BYTES, WAL_KEEP_BYTES }, /* what grew shrinks again */
	{ "trusted_schema", "OFF", "0" },
	{ "cell_size_check", "ON", "1" },
};

static int pragma_set(sqlite3 *db, size_t i, char *ret_found, size_t size)
{
	char sql[96];
	sqlite3_stmt *stmt = NULL;
	int rc;

	snprintf(sql, sizeof(sql), "PRAGMA %s = %s", pragmas[i].name, pragmas[i].value);
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	snprintf(sql, sizeof(sql), "PRAGMA %s", pragmas[i].name);
	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		snprintf(ret_found, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int connection_set_up(sqlite3 *db, const char *path, char *ret_error, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(pragmas); i++) {
		char found[32] = "nothing";
		int rc = pragma_set(db, i, found, sizeof(found));

		if (rc != SQLITE_OK) {
			int error = words_errno_of_sqlite(rc, sqlite3_system_errno(db));

			return words_of_error(path, error, sqlite3_errmsg(db), ret_error, size);
		}
		if (strcmp(found, pragmas[i].expected) != 0) {
			snprintf(
				ret_error, size,
				"%s: %s = %s is not possible here, it stays %s (a filesystem "
				"without shared memory? choose another place with PORT_DADDY_HOME)",
				path, pragmas[i].name, pragmas[i].value, found);
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

int connection_open(const char *path, sqlite3 **ret, uid_t *ret_owner, char *ret_error, size_t size)
{
	struct stat st;
	int rc = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	sqlite3 *db = *ret;
	int error;

	if (rc != SQLITE_OK) {
		error = words_errno_of_sqlite(rc, db ? sqlite3_system_errno(db) : 0);
		return words_of_error(path, error, db ? sqlite3_errmsg(db) : "", ret_error, size);
	}
	sqlite3_extended_result_codes(db, 1);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_busy_timeout(db, CONNECTION_BUSY_MS);
	/* SQLite opens what it may not write for reading, silently */
	if (sqlite3_db_readonly(db, "main") == 1)
		return words_of_error(path, -EACCES, "", ret_error, size);
	if (stat(path, &st) < 0)
		return -errno;
	*ret_owner = st.st_uid;
	return 0;
}

void connection_accept(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}
