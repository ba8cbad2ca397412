/* SPDX-License-Identifier: MIT */
/* How the file is opened, mended where it is damaged, and closed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "database/connection.h"
#include "database/mend.h"
#include "database/schema.h"
#include "database/wal.h"
#include "database/words.h"
#include "registry/internal.h"

#define MEND_PAUSE_MS 5000 /* between attempts to mend a damaged file while it is used */

DEFINE_CLEANUP(struct registry *, registry_close);

/*
 * Who was killed while it created the file may have left a journal: its first transaction is undone
 * when the file is opened, and nothing is in it then.
 */
static bool is_empty(struct registry *r)
{
	int version = 0;

	return schema_read_version(r->db, &version) == SQLITE_OK && version == 0;
}

/* The file is looked through before anything is written into it: 5 ms for each MB of it. */
static int file_check(struct registry *r, const char *path, char *ret_error, size_t size)
{
	char fault[MEND_FAULT_SIZE] = "";
	int error = mend_check(r->db, fault);

	if (error == -EUCLEAN)
		snprintf(ret_error, size, "%s is damaged (%s)", path, fault);
	else if (error < 0)
		words_of_error(path, error, fault, ret_error, size);
	return error;
}

static int file_accept(struct registry *r, const char *path, int kind, char *ret_error, size_t size)
{
	int error = 0;
	int rc;

	if (kind != SCHEMA_FILE_NEW && !is_empty(r))
		error = file_check(r, path, ret_error, size);
	error = error ?: schema_migrate(r->db, path, ret_error, size);
	error = error ?: connection_set_up(r->db, path, ret_error, size);
	if (error < 0)
		return error;
	rc = statements_prepare(r->db, r->statements);
	if (rc != SQLITE_OK) {
		snprintf(ret_error, size, "%s lacks what its schema version promises: %s", path,
			 sqlite3_errmsg(r->db));
		return words_errno_of_sqlite(rc, sqlite3_system_errno(r->db));
	}
	connection_accept(r->db);
	r->accepted = true;
	return 0;
}

static void file_close(struct registry *r)
{
	backup_abandon(TAKE_PTR(r->backup));
	statements_finalize(r->statements);
	/* not only as the last connection, as closing would do: a person's shell may stay open */
	if (r->accepted)
		sqlite3_wal_checkpoint_v2(r->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	sqlite3_close(r->db);
	r->db = NULL;
	r->accepted = false;
	files_deinit(&r->files);
}

static int file_open(struct registry *r, const char *path, char *ret_error, size_t size)
{
	int kind = schema_inspect(path, ret_error, size);
	int error = kind < 0 ? kind : files_check_directory(path, ret_error, size);

	if (error == 0 && kind == SCHEMA_FILE_NEW)
		error = files_create(path, ret_error, size);
	error = error ?: connection_open(path, &r->db, &r->owner, ret_error, size);
	error = error ?: file_accept(r, path, kind, ret_error, size);
	if (error == 0) {
		/* from now on; and the log has its index after a read */
		registry_changed_by_others(r);
		error = files_init(&r->files, path, ret_error, size);
	}
	if (error < 0)
		file_close(r);
	return error;
}

/*
 * In the place of a file whose claims cannot be read: one in memory, so that everything else goes
 * on.  What it is asked about claims, its owner refuses (registry_refuses()).
 */
static int open_without(struct registry *r, const char *path, const char *fault, char *ret_error,
			size_t size)
{
	int rc, error;

	backup_words(path, fault, r->refused, sizeof(r->refused));
	rc = sqlite3_open_v2(":memory:", &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return -ENOMEM;
	error = schema_migrate(r->db, path, ret_error, size);
	if (error == 0 && statements_prepare(r->db, r->statements) != SQLITE_OK)
		error = -ENOMEM;
	return error;
}

/* What SQLite left out of the log, behind what was mended. */
static void note_lost(struct registry *r, const char *lost)
{
	size_t n = r->is_news ? strlen(r->news) : 0;

	if (!*lost)
		return;
	/* in a new log, or the next start would find the same frames behind what it can read */
	sqlite3_wal_checkpoint_v2(r->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	snprintf(r->news + n, sizeof(r->news) - n, "%s%s", n ? "; " : "", lost);
	r->mended = r->is_news = true;
}

/* Opens, mends what can be mended, or goes on without. */
static int open_somehow(struct registry *r, const char *path, char *ret_error, size_t size)
{
	char fault[REGISTRY_WORDS_SIZE], lost[REGISTRY_WORDS_SIZE];
	int error;

	wal_check(path, lost, sizeof(lost));
	error = file_open(r, path, ret_error, size);
	if (error == 0)
		note_lost(r, lost);
	if (error != -EUCLEAN && !(error == -EMEDIUMTYPE && backup_is_there(path)))
		return error;
	snprintf(fault, sizeof(fault), "%s", ret_error);
	error = mend_file(path, r->news, sizeof(r->news));
	if (error == 0) {
		r->mended = r->is_news = true;
		error = file_open(r, path, ret_error, size);
	}
	if (error == 0) {
		note_lost(r, lost);
		return 0;
	}
	if (error == -EUCLEAN || error == -EMEDIUMTYPE)
		return open_without(r, path, fault, ret_error, size);
	return words_of_error(path, error, fault, ret_error, size);
}

int registry_open(const char *path, struct registry **ret, char *ret_error, size_t size)
{
	_cleanup_(registry_closep) struct registry *r = NULL;
	int error;

	/*
	 * SQLite's account of its memory takes a lock at every allocation, and nobody reads it.
	 * Refused, without harm, once the process has used the library.
	 */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	snprintf(ret_error, size, "cannot open %s", path);
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->own_uid = geteuid();
	r->keep = (struct activity_limits){
		.rows = (int64_t)quota_limit(QUOTA_LOG_ROWS)->machine,
		.age_s = ACTIVITY_KEEP_S,
	};
	r->path = strdup(path);
	error = r->path ? open_somehow(r, path, ret_error, size) : -ENOMEM;
	if (error < 0)
		return error;
	error = sync_init(&r->sync, r->db, *r->refused ? NULL : path);
	if (error < 0)
		return words_of_error(path, error, "", ret_error, size);
	*ret_error = '\0';
	*ret = TAKE_PTR(r);
	return 0;
}

/*
 * Damage that was met while it ran: with no transaction and no statement open, the file is closed,
 * mended and opened again.  Where that is not possible now (a full disk), the rest goes on as it
 * can until the next attempt.
 */
void registry_mend_when_damaged(struct registry *r)
{
	char words[REGISTRY_WORDS_SIZE] = "";
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (!r->damaged || r->batch != BATCH_NONE || r->reading || now < r->mend_after_ms ||
	    statements_are_busy(r->db))
		return;
	r->damaged = false;
	r->mend_after_ms = now + MEND_PAUSE_MS;
	registry_forget_cached(r);
	r->all_visible = false;
	sync_suspend(&r->sync);
	file_close(r);
	if (open_somehow(r, r->path, words, sizeof(words)) < 0)
		open_without(r, r->path, words, words, sizeof(words));
	r->damaged = sync_resume(&r->sync, r->db, *r->refused ? NULL : r->path) < 0;
	r->checked = (struct registry_checked){ 0 };
}

bool registry_refuses(struct registry *r)
{
	if (!*r->refused)
		return false;
	registry_fail(r, -EUCLEAN);
	return true;
}

const char *registry_news(struct registry *r)
{
	bool is_news = r->is_news;

	r->is_news = false;
	return is_news ? r->news : NULL;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	if (r->batch == BATCH_OPEN)
		query_execute(r, STATEMENT_ROLLBACK);
	sync_deinit(&r->sync);
	file_close(r);
	quota_free(r->claims);
	for (struct run *run = r->runs, *next; run; run = next) {
		next = run->next;
		free(run);
	}
	free(r->path);
	free(r);
}
