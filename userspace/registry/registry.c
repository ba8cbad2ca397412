/* SPDX-License-Identifier: MIT */
#include "registry/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "registry/internal.h"
#include "registry/schema.h"
#include "registry/words.h"

/*
 * How long a write waits for another's: a person's shell in a transaction, a backup.  Longer than
 * any sane write, short enough that a forgotten BEGIN in a shell turns claims into errors and does
 * not stop the daemon's loop for good.
 */
#define BUSY_TIMEOUT "2000" /* ms */
/* Once a write has waited without success, the next ones do not: a flood of events would else hold
 * the loop for two seconds each. */
#define BUSY_AGAIN_MS 20

/* The log's file is cut to this when it begins anew: its frames (sync.c), and a commit beyond. */
#define WAL_KEEP_BYTES "4456448"

DEFINE_CLEANUP(struct registry *, registry_close);

/* Set and read back; `expected` is what the pragma then answers. */
static const struct {
	const char *name, *value, *expected;
} pragmas[] = {
	{ "busy_timeout", BUSY_TIMEOUT, BUSY_TIMEOUT },
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

static int pragmas_set(sqlite3 *db, const char *path, char *ret_error, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(pragmas); i++) {
		char found[32] = "nothing";
		int rc = pragma_set(db, i, found, sizeof(found));

		if (rc != SQLITE_OK) {
			int error = errors_of_sqlite(rc, sqlite3_system_errno(db));

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

/* Opens without changing anything yet: until the file is accepted, closing leaves the log alone. */
static int connection_open(struct registry *r, const char *path, char *ret_error, size_t size)
{
	struct stat st;
	int rc = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	int error;

	if (rc != SQLITE_OK) {
		error = errors_of_sqlite(rc, r->db ? sqlite3_system_errno(r->db) : 0);
		return words_of_error(path, error, r->db ? sqlite3_errmsg(r->db) : "", ret_error,
				      size);
	}
	sqlite3_extended_result_codes(r->db, 1);
	sqlite3_db_config(r->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_busy_timeout(r->db, atoi(BUSY_TIMEOUT));
	/* SQLite opens what it may not write for reading, silently */
	if (sqlite3_db_readonly(r->db, "main") == 1)
		return words_of_error(path, -EACCES, "", ret_error, size);
	if (stat(path, &st) < 0)
		return -errno;
	r->owner = st.st_uid;
	return 0;
}

/* A file that was not closed properly is looked through before anything is written into it. */
static int unclean_check(struct registry *r, const char *path, char *ret_error, size_t size)
{
	char fault[128] = "";
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(r->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		snprintf(fault, sizeof(fault), "%s", (const char *)sqlite3_column_text(stmt, 0));
	else
		snprintf(fault, sizeof(fault), "%s", sqlite3_errstr(rc));
	sqlite3_finalize(stmt);
	if (strcmp(fault, "ok") == 0)
		return 0;
	snprintf(ret_error, size, "%s is damaged (%s); left as it is, restore or remove it", path,
		 fault);
	return rc == SQLITE_ROW ? -EUCLEAN : errors_of_sqlite(rc, sqlite3_system_errno(r->db));
}

static int file_accept(struct registry *r, const char *path, int kind, char *ret_error, size_t size)
{
	int error = 0;
	int rc;

	if (kind == SCHEMA_FILE_UNCLEAN)
		error = unclean_check(r, path, ret_error, size);
	if (error == 0)
		error = schema_migrate(r->db, path, ret_error, size);
	if (error == 0)
		error = pragmas_set(r->db, path, ret_error, size);
	if (error < 0)
		return error;
	rc = statements_prepare(r->db, r->statements);
	if (rc != SQLITE_OK) {
		snprintf(ret_error, size, "%s lacks what its schema version promises: %s", path,
			 sqlite3_errmsg(r->db));
		return errors_of_sqlite(rc, sqlite3_system_errno(r->db));
	}
	sqlite3_db_config(r->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	r->accepted = true;
	return 0;
}

int registry_open(const char *path, struct registry **ret, char *ret_error, size_t size)
{
	_cleanup_(registry_closep) struct registry *r = NULL;
	int kind, error;

	/*
	 * SQLite's account of its memory takes a lock at every allocation, and nobody reads it.
	 * Refused, without harm, once the process has used the library.
	 */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	snprintf(ret_error, size, "cannot open %s", path);
	kind = schema_inspect(path, ret_error, size);
	if (kind < 0)
		return kind;
	error = files_check_directory(path, ret_error, size);
	if (error == 0 && kind == SCHEMA_FILE_NEW)
		error = files_create(path, ret_error, size);
	if (error < 0)
		return error;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->own_uid = geteuid();
	r->keep = (struct activity_limits){
		.rows = (int64_t)quota_limit(QUOTA_LOG_ROWS)->machine,
		.age_s = ACTIVITY_KEEP_S,
	};
	error = connection_open(r, path, ret_error, size);
	if (error == 0)
		error = file_accept(r, path, kind, ret_error, size);
	if (error < 0)
		return error;
	registry_changed_by_others(r); /* from now on; and the log has its index after a read */
	error = files_init(&r->files, path, ret_error, size);
	if (error < 0)
		return error;
	error = sync_init(r, path);
	if (error < 0)
		return words_of_error(path, error, "", ret_error, size);
	*ret_error = '\0';
	*ret = TAKE_PTR(r);
	return 0;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	if (r->batch == BATCH_OPEN)
		query_execute(r, STATEMENT_ROLLBACK);
	statements_finalize(r->statements);
	sync_deinit(r);
	/* not only as the last connection, as closing would do: a person's shell may stay open */
	if (r->accepted)
		sqlite3_wal_checkpoint_v2(r->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	sqlite3_close(r->db);
	files_deinit(&r->files);
	quota_free(r->claims);
	for (struct run *run = r->runs, *next; run; run = next) {
		next = run->next;
		free(run);
	}
	free(r);
}

bool registry_failed_with(const struct registry *r, int error)
{
	return error < 0 && r->last_error == error;
}

const char *registry_strerror(struct registry *r, int error)
{
	if (!registry_failed_with(r, error))
		return strerror(-error);
	if (error != -ESTALE || !files_check(&r->files, r->words, sizeof(r->words)))
		words_of_error(r->files.paths[0], error, "", r->words, sizeof(r->words));
	return r->words;
}

int registry_files_check(struct registry *r)
{
	int error = files_check(&r->files, NULL, 0);

	return error < 0 ? registry_fail(r, error) : 0;
}

int registry_write_check(const struct registry *r)
{
	if (r->batch == BATCH_LOST)
		return r->batch_error;
	return r->batch == BATCH_OPEN ? 0 : -EINVAL;
}

bool registry_in_batch(const struct registry *r)
{
	return r->batch != BATCH_NONE;
}

void registry_read_begin(struct registry *r)
{
	if (r->batch != BATCH_NONE || r->reading)
		return;
	r->reading = query_execute(r, STATEMENT_BEGIN_READING) == 0;
	r->ports_settled = false;
}

void registry_read_end(struct registry *r)
{
	if (!r->reading)
		return;
	r->reading = false;
	query_execute(r, STATEMENT_COMMIT);
	if (!sqlite3_get_autocommit(r->db))
		query_execute(r, STATEMENT_ROLLBACK);
}

int registry_begin(struct registry *r)
{
	int error;

	registry_read_end(r);
	if (r->batch == BATCH_LOST)
		return registry_fail(r, r->batch_error);
	if (r->batch == BATCH_OPEN)
		return 0;
	error = sync_check(r);
	if (error < 0)
		return error;
	error = query_execute(r, STATEMENT_BEGIN);
	if (error == 0)
		r->batch = BATCH_OPEN;
	r->ports_settled = false;
	if (r->impatient != (error == -EBUSY)) {
		r->impatient = error == -EBUSY;
		sqlite3_busy_timeout(r->db, r->impatient ? BUSY_AGAIN_MS : atoi(BUSY_TIMEOUT));
	}
	return error;
}

int registry_commit(struct registry *r)
{
	int error = registry_commit_unsynced(r);

	return error < 0 || !r->sync.is_due ? error : registry_sync(r);
}

int registry_commit_unsynced(struct registry *r)
{
	int error = r->batch == BATCH_LOST ? r->batch_error : 0;

	if (r->batch == BATCH_OPEN)
		error = registry_files_check(r);
	if (r->batch == BATCH_OPEN && error == 0)
		error = query_execute(r, STATEMENT_COMMIT);
	if (error == 0 && r->batch == BATCH_OPEN) {
		r->counters.commits++;
		sync_bound_log(r);
	}
	if (error < 0) {
		registry_forget_cached(r);
		/* a commit that failed may or may not have ended the transaction */
		if (!sqlite3_get_autocommit(r->db))
			query_execute(r, STATEMENT_ROLLBACK);
	}
	r->batch = BATCH_NONE;
	r->batch_error = 0;
	return error;
}

int registry_savepoint_open(struct registry *r)
{
	int error = registry_write_check(r);

	return error < 0 ? error : query_execute(r, STATEMENT_SAVEPOINT);
}

int registry_savepoint_close(struct registry *r, int error)
{
	if (r->batch != BATCH_OPEN)
		return error < 0 ? error : r->batch_error;
	if (error < 0) {
		registry_forget_cached(r);
		query_execute(r, STATEMENT_SAVEPOINT_ROLLBACK);
		query_execute(r, STATEMENT_SAVEPOINT_RELEASE);
		return error;
	}
	return query_execute(r, STATEMENT_SAVEPOINT_RELEASE);
}

int registry_group_begin(struct registry *r)
{
	return registry_savepoint_open(r);
}

int registry_group_end(struct registry *r, bool undo)
{
	int error = registry_savepoint_close(r, undo ? -ECANCELED : 0);

	return undo && error == -ECANCELED ? 0 : error;
}

int registry_check(struct registry *r, char *ret_detail, size_t size)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_QUICK_CHECK);
	const char *found;
	int more = query_next(&q);

	if (more == -EUCLEAN || more == -EMEDIUMTYPE) {
		snprintf(ret_detail, size, "%s", sqlite3_errmsg(r->db));
		return 1;
	}
	if (more <= 0)
		return more < 0 ? more : -EIO;
	found = query_column_text(&q, 0);
	snprintf(ret_detail, size, "%s", found ? found : "");
	return found && strcmp(found, "ok") == 0 ? 0 : 1;
}

int registry_data_version(struct registry *r, int64_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_DATA_VERSION);
	int more = query_next(&q);

	if (more <= 0)
		return more < 0 ? more : -EIO;
	*ret = query_column_int(&q, 0, INT64_MIN, INT64_MAX, 0);
	return 0;
}

void registry_give_back(struct registry *r)
{
	sqlite3_db_release_memory(r->db);
}

bool registry_changed_by_others(struct registry *r)
{
	int64_t version;

	/* what cannot be read may have changed */
	if (registry_data_version(r, &version) < 0)
		return true;
	if (version == r->reported_version)
		return false;
	r->reported_version = version;
	return true;
}

struct registry_counters registry_counters(const struct registry *r)
{
	return r->counters;
}

/* Whose a port is, as the reader of a service has it. */
static int count_claim(struct registry *r, const struct query *q)
{
	uid_t uid = (uid_t)query_column_int(q, 1, 0, PROCESS_UID_UNKNOWN - 1, r->owner);

	return quota_charge_existing(r->claims, uid, QUOTA_CLAIMS, 1);
}

/* The claimed ports, and how many of them each user has. */
static int claimed_load(struct registry *r)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_PORTS_CLAIMED);
	struct quota *counts;
	int more = quota_new(r->own_uid, &counts);

	if (more < 0)
		return more;
	quota_free(r->claims);
	r->claims = counts;
	portset_clear(&r->claimed);
	r->names_are_shared = false;
	while ((more = query_next(&q)) > 0) {
		portset_add(&r->claimed, (uint16_t)query_column_int(&q, 0, 1, UINT16_MAX, 0));
		r->names_are_shared |= query_column_int(&q, 2, 0, IDENTITY_MAX, 0) > 0;
		more = count_claim(r, &q);
		if (more < 0)
			break;
	}
	return more;
}

static int portset_load(struct registry *r, enum statement which, struct portset *set)
{
	_cleanup_(query_done) struct query q = query_start(r, which);
	int more;

	while ((more = query_next(&q)) > 0)
		portset_add(set, (uint16_t)query_column_int(&q, 0, 1, UINT16_MAX, 0));
	return more;
}

bool registry_in_transaction(const struct registry *r)
{
	return r->batch == BATCH_OPEN || r->reading;
}

int registry_ports_refresh(struct registry *r)
{
	int64_t version;
	int error;

	if (r->ports_loaded && r->ports_settled && registry_in_transaction(r))
		return 0;
	error = registry_data_version(r, &version);
	if (error < 0)
		return error;
	r->ports_settled = registry_in_transaction(r);
	if (r->ports_loaded && version == r->ports_version)
		return 0;
	r->ports_loaded = false;
	error = claimed_load(r);
	if (error < 0)
		return error;
	error = portset_load(r, STATEMENT_PORTS_HOME, &r->claimed);
	if (error < 0)
		return error;
	r->ever = r->claimed;
	error = portset_load(r, STATEMENT_PORTS_EVER, &r->ever);
	if (error < 0)
		return error;
	r->ports_version = version;
	r->ports_loaded = true;
	return 0;
}

bool registry_port_may_be_claimed(const struct registry *r, uint16_t port)
{
	return !r->ports_loaded || portset_has(&r->claimed, port);
}

int registry_last_alive(struct registry *r, int64_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_META_GET);
	int more;

	query_bind_text(&q, 1, "lastAlive");
	more = query_next(&q);
	if (more < 0)
		return more;
	*ret = more ? query_column_int(&q, 0, 0, REGISTRY_TIME_MAX_S, 0) : 0;
	return 0;
}

int registry_mark_alive(struct registry *r, int64_t now)
{
	int error = registry_write_check(r);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_META_SET);
	query_bind_text(&q, 1, "lastAlive");
	query_bind_int(&q, 2, now);
	return query_run(&q);
}
