/* SPDX-License-Identifier: MIT */
#include "database/mend.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "database/schema.h"
#include "database/words.h"

#define PATH_SIZE    4300
#define COLUMNS_SIZE 1024 /* all names of a table's columns */
#define SQL_SIZE     (3 * COLUMNS_SIZE)
#define LOST_SIZE    160

DEFINE_CLEANUP(sqlite3 *, sqlite3_close);
DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize);

/* What a table is to people.  Sums of notes are counted anew, as the notes come. */
static const struct {
	const char *table, *words;
	bool essential; /* it has to be whole, for what is missing would be given away again */
	bool derived;
} tables[] = {
	{ "services", "claims", .essential = true },
	{ "meta", "counters of locks", .essential = true },
	{ "locks", "locks" },
	{ "activity", "entries of the log" },
	{ "failures", "explanations of refused binds" },
	{ "history", "the history of ports" },
	{ "runs", "runs" },
	{ "launchers", "how launchers have ended" },
	{ "sessions", "sessions" },
	{ "notes", "notes" },
	{ "ports", "remembered ports" },
	{ "health", "results of health checks" },
	{ "noteSums", "", .derived = true },
};

struct mend {
	sqlite3 *from, *to;
	char lost[LOST_SIZE];
};

static int error_of(sqlite3 *db, int rc)
{
	return words_errno_of_sqlite(rc, sqlite3_system_errno(db));
}

/* --- is it damaged? --- */

static int check_with(sqlite3 *db, const char *sql, char ret_fault[MEND_FAULT_SIZE])
{
	_cleanup_(sqlite3_finalizep) sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	int error;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *found = (const char *)sqlite3_column_text(stmt, 0);

		snprintf(ret_fault, MEND_FAULT_SIZE, "%s", found ? found : "");
		return found && !strcmp(found, "ok") ? 0 : -EUCLEAN;
	}
	error = error_of(db, rc);
	snprintf(ret_fault, MEND_FAULT_SIZE, "%s", sqlite3_errmsg(db));
	return error == -EMEDIUMTYPE ? -EUCLEAN : error;
}

int mend_check(sqlite3 *db, char ret_fault[MEND_FAULT_SIZE])
{
	int error = check_with(db, "PRAGMA quick_check(1)", ret_fault);

	return error ? error : check_with(db, "PRAGMA integrity_check('services')", ret_fault);
}

/* --- the rows that can be read --- */

/* "id, port, …" of a table in the new file, which has what its version promises. */
static int columns_of(struct mend *m, const char *table, char ret[COLUMNS_SIZE], int *ret_n)
{
	_cleanup_(sqlite3_finalizep) sqlite3_stmt *stmt = NULL;
	size_t used = 0;
	int rc = sqlite3_prepare_v2(m->to, "SELECT name FROM pragma_table_info(?1)", -1, &stmt,
				    NULL);

	*ret_n = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW && used < COLUMNS_SIZE) {
		used += (size_t)snprintf(ret + used, COLUMNS_SIZE - used, "%s\"%s\"",
					 *ret_n ? ", " : "", sqlite3_column_text(stmt, 0));
		++*ret_n;
		rc = SQLITE_OK;
	}
	return rc == SQLITE_DONE ? 0 : error_of(m->to, rc);
}

/*
 * The rows of one direction, as far as they can be read; those that are there already stay.  0;
 * -EUCLEAN when not all of them could; another errno.
 */
static int copy_rows(struct mend *m, const char *read, const char *write, int n)
{
	_cleanup_(sqlite3_finalizep) sqlite3_stmt *from = NULL, *to = NULL;
	int rc = sqlite3_prepare_v2(m->from, read, -1, &from, NULL);

	if (rc != SQLITE_OK)
		return error_of(m->from, rc) == -ENOMEM ? -ENOMEM : -EUCLEAN;
	rc = sqlite3_prepare_v2(m->to, write, -1, &to, NULL);
	if (rc != SQLITE_OK)
		return error_of(m->to, rc);
	while ((rc = sqlite3_step(from)) == SQLITE_ROW) {
		for (int i = 0; i < n && rc != SQLITE_NOMEM; i++)
			rc = sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
		if (rc == SQLITE_OK)
			rc = sqlite3_step(to);
		if (rc != SQLITE_DONE)
			return error_of(m->to, rc);
		sqlite3_reset(to);
	}
	return rc == SQLITE_DONE ? 0 : error_of(m->from, rc);
}

/* Tables whose rows have a number are read from their ends; the others in their only order. */
static int copy_table(struct mend *m, const char *table, bool has_rowid)
{
	char columns[COLUMNS_SIZE], read[SQL_SIZE], write[SQL_SIZE], places[128] = "?";
	int n, error = columns_of(m, table, columns, &n);

	if (error)
		return error;
	for (int i = 1; i < n; i++)
		strncat(places, ",?", sizeof(places) - strlen(places) - 1);
	snprintf(write, sizeof(write), "INSERT OR IGNORE INTO \"%s\"(%s) VALUES(%s)", table,
		 columns, places);
	snprintf(read, sizeof(read), "SELECT %s FROM \"%s\" NOT INDEXED %s", columns, table,
		 has_rowid ? "ORDER BY rowid" : "");
	error = copy_rows(m, read, write, n);
	if (error != -EUCLEAN || !has_rowid)
		return error;
	strncat(read, " DESC", sizeof(read) - strlen(read) - 1);
	error = copy_rows(m, read, write, n);
	return error && error != -EUCLEAN ? error : -EUCLEAN;
}

static int row_of(const char *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (!strcmp(tables[i].table, table))
			return (int)i;
	return -1;
}

/* A table, and if not all of it is there, what people have lost. */
static int take_over(struct mend *m, const char *table, bool has_rowid)
{
	int row = row_of(table), error;
	size_t used = strlen(m->lost);

	if (row >= 0 && tables[row].derived)
		return 0;
	error = copy_table(m, table, has_rowid);
	if (error != -EUCLEAN || (row >= 0 && tables[row].essential))
		return error;
	if (used < sizeof(m->lost))
		snprintf(m->lost + used, sizeof(m->lost) - used, "%s%s", used ? ", " : "",
			 row >= 0 ? tables[row].words : table);
	return 0;
}

static int take_over_all(struct mend *m)
{
	_cleanup_(sqlite3_finalizep) sqlite3_stmt *stmt = NULL;
	int error = 0, rc = sqlite3_exec(m->to, "BEGIN", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(
			m->to,
			"SELECT name, sql LIKE '%WITHOUT ROWID%' FROM sqlite_master "
			"WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
			-1, &stmt, NULL);
	while (rc == SQLITE_OK && !error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		error = take_over(m, (const char *)sqlite3_column_text(stmt, 0),
				  !sqlite3_column_int(stmt, 1));
		rc = SQLITE_OK;
	}
	if (error)
		return error;
	if (rc == SQLITE_DONE)
		rc = sqlite3_exec(m->to, "COMMIT", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : error_of(m->to, rc);
}

/* --- the files --- */

int mend_name_aside(const char *path, char *ret, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	char at[32];

	localtime_r(&now, &tm);
	strftime(at, sizeof(at), "%Y%m%d-%H%M%S", &tm);
	for (int n = 0; n < 100; n++) {
		char more[8] = "";

		if (n)
			snprintf(more, sizeof(more), "-%d", n);
		if (snprintf(ret, size, "%s.damaged-%s%s", path, at, more) >= (int)size)
			return -ENAMETOOLONG;
		if (access(ret, F_OK) < 0 && errno == ENOENT)
			return 0;
	}
	return -EEXIST;
}

/* Opens the damaged file, with all that its log has written into it: the log is of this file, and
 * would be taken for the new one's. */
static int open_damaged(const char *path, sqlite3 **ret, int *ret_version)
{
	_cleanup_(sqlite3_closep) sqlite3 *db = NULL;
	int log_frames = -1, rc;

	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = schema_read_version(db, ret_version);
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, &log_frames,
					       NULL);
	if (rc != SQLITE_OK)
		return db ? error_of(db, rc) : -ENOMEM;
	/* of what is too short to be a file of its own SQLite makes an empty one */
	if (*ret_version <= 0)
		return -EUCLEAN;
	*ret = TAKE_PTR(db);
	return 0;
}

static int open_new(const char *path, int version, sqlite3 **ret, char *ret_error, size_t size)
{
	_cleanup_(sqlite3_closep) sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(
		path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	int error;

	if (rc != SQLITE_OK)
		return db ? error_of(db, rc) : -ENOMEM;
	error = schema_migrate_to(db, path, version, ret_error, size);
	if (error == 0)
		*ret = TAKE_PTR(db);
	return error;
}

/* The new file takes the other's name in one step; the other one has a second name by then. */
static int exchange(const char *path, const char *new_path, const char *aside)
{
	char sidecar[PATH_SIZE];

	if (link(path, aside) < 0)
		return -errno;
	snprintf(sidecar, sizeof(sidecar), "%s-wal", path);
	unlink(sidecar); /* empty: see open_damaged() */
	snprintf(sidecar, sizeof(sidecar), "%s-shm", path);
	unlink(sidecar);
	return rename(new_path, path) < 0 ? -errno : 0;
}

static int fill_new(const char *path, const char *new_path, struct mend *m, char *ret_error,
		    size_t size)
{
	int version = 0;
	int error = open_damaged(path, &m->from, &version);

	error = error ?: open_new(new_path, version, &m->to, ret_error, size);
	error = error ?: take_over_all(m);
	sqlite3_close(m->from);
	sqlite3_close(m->to);
	return error == -EMEDIUMTYPE ? -EUCLEAN : error;
}

int mend_file(const char *path, char *ret_said, size_t size)
{
	struct mend m = { 0 };
	char new_path[PATH_SIZE], aside[PATH_SIZE];
	int error = mend_name_aside(path, aside, sizeof(aside));

	if (error)
		return error;
	snprintf(new_path, sizeof(new_path), "%s.mended", path);
	unlink(new_path); /* of a daemon that was killed meanwhile */
	error = fill_new(path, new_path, &m, ret_said, size);
	error = error ?: exchange(path, new_path, aside);
	if (error) {
		unlink(new_path);
		return error;
	}
	snprintf(
		ret_said, size,
		"%s was damaged: %s%s; every claim was taken over into a new file, and the damaged "
		"one is %s (remove it when nothing of it is needed)",
		path, *m.lost ? "at least a part is lost of: " : "nothing is lost", m.lost, aside);
	return 0;
}
