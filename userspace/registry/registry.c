/* SPDX-License-Identifier: MIT */
#include "registry/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "database/connection.h"
#include "database/mend.h"
#include "database/words.h"
#include "registry/internal.h"

/* Once a write has waited without success, the next ones do not: a flood of events would else hold
 * the loop for two seconds each. */
#define BUSY_AGAIN_MS 20

bool registry_failed_with(const struct registry *r, int error)
{
	/* the thread that syncs leaves its error there */
	return error < 0 && (r->last_error == error || r->sync.error == error);
}

const char *registry_strerror(struct registry *r, int error)
{
	if (!registry_failed_with(r, error))
		return strerror(-error);
	if (error == -EUCLEAN && *r->refused)
		return r->refused;
	if (error != -ESTALE || !files_check(&r->files, r->words, sizeof(r->words)))
		words_of_error(r->path, error, "", r->words, sizeof(r->words));
	return r->words;
}

int registry_files_check(struct registry *r)
{
	int error = *r->refused ? 0 : files_check(&r->files, NULL, 0);

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
	registry_mend_when_damaged(r);
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
	registry_mend_when_damaged(r);
	error = sync_fault(&r->sync, r->db);
	if (error < 0)
		return registry_fail(r, error);
	error = query_execute(r, STATEMENT_BEGIN);
	if (error == 0)
		r->batch = BATCH_OPEN;
	r->ports_settled = false;
	if (r->impatient != (error == -EBUSY)) {
		r->impatient = error == -EBUSY;
		sqlite3_busy_timeout(r->db, r->impatient ? BUSY_AGAIN_MS : CONNECTION_BUSY_MS);
	}
	return error;
}

int registry_commit(struct registry *r)
{
	int error = registry_commit_unsynced(r);

	return error < 0 || !r->sync.is_due ? error : registry_sync(r);
}

bool registry_is_synced(const struct registry *r)
{
	return sync_is_done(&r->sync);
}

int registry_sync(struct registry *r)
{
	return sync_run(&r->sync);
}

int registry_commit_unsynced(struct registry *r)
{
	int error = r->batch == BATCH_LOST ? r->batch_error : 0;

	if (r->batch == BATCH_OPEN)
		error = registry_files_check(r);
	if (r->batch == BATCH_OPEN && error == 0)
		error = registry_locks_prune_freed(r);
	if (r->batch == BATCH_OPEN && error == 0)
		error = query_execute(r, STATEMENT_COMMIT);
	if (error == 0 && r->batch == BATCH_OPEN) {
		r->counters.commits++;
		sync_bound_log(&r->sync, r->db);
	}
	if (error < 0) {
		registry_forget_cached(r);
		/* a commit that failed may or may not have ended the transaction */
		if (!sqlite3_get_autocommit(r->db))
			query_execute(r, STATEMENT_ROLLBACK);
	}
	r->full = error == -ENOSPC || error == -EDQUOT ? error : 0;
	r->batch = BATCH_NONE;
	r->batch_error = 0;
	r->locks_freed_at = 0;
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
	char fault[MEND_FAULT_SIZE] = "";
	int error = mend_check(r->db, fault);

	snprintf(ret_detail, size, "%s", fault);
	if (error == -EUCLEAN)
		r->damaged = true;
	return error == -EUCLEAN ? 1 : error;
}

void registry_give_back(struct registry *r)
{
	sqlite3_db_release_memory(r->db);
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
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LAST_ALIVE);

	query_bind_text(&q, 1, "lastAlive");
	return query_number_or(&q, 0, REGISTRY_TIME_MAX_S, 0, ret);
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
