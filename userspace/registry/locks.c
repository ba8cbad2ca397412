/* SPDX-License-Identifier: MIT */
#include "registry/locks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "registry/internal.h"

#define FENCE_KEY	 "lockFence" /* in meta: the number of the last grant */
#define FIRST_ROWS	 16
#define OWNER_MARK	 "@" /* no name has it */
#define STORED_NAME_SIZE (LOCK_NAME_MAX + sizeof(OWNER_MARK "4294967295"))

/* --- keys --- */

struct lock_key lock_key_make(const char *name, uid_t owner)
{
	struct lock_key key = { .owner = owner };

	snprintf(key.name, sizeof(key.name), "%s", name);
	return key;
}

struct lock_key lock_key_of(const struct lock *lock)
{
	return lock_key_make(lock->name, lock->owner);
}

bool lock_has_key(const struct lock *lock, struct lock_key key)
{
	return lock->owner == key.owner && strcmp(lock->name, key.name) == 0;
}

/* --- reading --- */

static void copy_text(const struct query *q, int column, char *ret, size_t size)
{
	const char *text = query_column_text(q, column);

	text_to_utf8(text ? text : "", ret, size);
}

static int64_t column_time(const struct query *q, int column)
{
	return query_column_int(q, column, 0, REGISTRY_TIME_MAX_S, 0);
}

/* A pid means the same process only within one boot. */
static struct process_id column_process(const struct query *q)
{
	const char *boot_id = query_column_text(q, LOCK_COLUMN_BOOT_ID);
	struct process_id id = {
		.pid = (pid_t)query_column_int(q, LOCK_COLUMN_PID, 0, INT32_MAX, 0),
		.start_ticks = (uint64_t)query_column_int(q, LOCK_COLUMN_START_TICKS, 0, INT64_MAX,
							  0),
	};

	if (!boot_id || strcmp(boot_id, procfs_boot_id()) != 0)
		id = (struct process_id){ 0 };
	return id;
}

/* Who holds it; of a row without that, which a person wrote, the owner of the file. */
static uid_t column_uid(const struct query *q)
{
	return (uid_t)query_column_int(q, LOCK_COLUMN_UID, 0, PROCESS_UID_UNKNOWN - 1,
				       q->registry->owner);
}

/* Whose name it is; of a row without that, whoever holds it. */
static uid_t column_owner(const struct query *q)
{
	int64_t owner = query_column_int(q, LOCK_COLUMN_OWNER, -1, PROCESS_UID_UNKNOWN - 1,
					 column_uid(q));

	return owner < 0 ? LOCK_OF_MACHINE : (uid_t)owner;
}

/* The name without "@UID".  False when it is not legal: a person wrote that row. */
static bool decode_name(const struct query *q, char ret[LOCK_NAME_MAX + 1])
{
	const char *stored = query_column_text(q, LOCK_COLUMN_NAME);
	size_t length = stored ? strcspn(stored, OWNER_MARK) : 0;

	if (!stored || length > LOCK_NAME_MAX)
		return false;
	snprintf(ret, LOCK_NAME_MAX + 1, "%.*s", (int)length, stored);
	return lock_name_check(ret, NULL) == 0;
}

static bool lock_decode(const struct query *q, struct lock *ret)
{
	char name[LOCK_NAME_MAX + 1];

	if (!decode_name(q, name))
		return false;
	*ret = (struct lock){
		.acquired_at = column_time(q, LOCK_COLUMN_ACQUIRED_AT),
		.ttl_s = column_time(q, LOCK_COLUMN_TTL),
		.expires_at = column_time(q, LOCK_COLUMN_EXPIRES_AT),
		.released_at = column_time(q, LOCK_COLUMN_RELEASED_AT),
		.fence = query_column_int(q, LOCK_COLUMN_FENCE, 0, INT64_MAX, 0),
		.owner = column_owner(q),
		.uid = column_uid(q),
		.process = column_process(q),
	};
	/* no process was named, as distinct from one of an earlier boot */
	ret->by_time = ret->ttl_s && !query_column_int(q, LOCK_COLUMN_PID, 0, INT32_MAX, 0) &&
		       query_column_text(q, LOCK_COLUMN_BOOT_ID);
	strcpy(ret->name, name);
	copy_text(q, LOCK_COLUMN_HOLDER, ret->holder, sizeof(ret->holder));
	copy_text(q, LOCK_COLUMN_COMM, ret->comm, sizeof(ret->comm));
	return true;
}

/* What a lock is called in the database where the bare name is somebody else's. */
static void name_with_owner(const struct lock_key *key, char ret[STORED_NAME_SIZE])
{
	if (key->owner == LOCK_OF_MACHINE)
		snprintf(ret, STORED_NAME_SIZE, "%s" OWNER_MARK "*", key->name);
	else
		snprintf(ret, STORED_NAME_SIZE, "%s" OWNER_MARK "%u", key->name, key->owner);
}

/*
 * Finds the lock's row: 0 with what is in it (ret may be NULL), or OUTCOME_NO.  In either case
 * ret_stored becomes the name under which it is, or is to be, stored.
 */
static int find(struct registry *r, const struct lock_key *key, struct lock *ret,
		char ret_stored[STORED_NAME_SIZE])
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LOCK_BY_NAME);
	char with_owner[STORED_NAME_SIZE];
	bool bare_is_taken = false;
	struct lock lock;
	int more;

	name_with_owner(key, with_owner);
	query_bind_text(&q, 1, key->name);
	query_bind_text(&q, 2, with_owner);
	while ((more = query_next(&q)) > 0) {
		const char *stored = query_column_text(&q, LOCK_COLUMN_NAME);

		bare_is_taken = bare_is_taken || strcmp(stored, key->name) == 0;
		if (!lock_decode(&q, &lock) || lock.owner != key->owner)
			continue;
		snprintf(ret_stored, STORED_NAME_SIZE, "%s", stored);
		if (ret)
			*ret = lock;
		return 0;
	}
	snprintf(ret_stored, STORED_NAME_SIZE, "%s", bare_is_taken ? with_owner : key->name);
	return more < 0 ? more : OUTCOME_NO;
}

int registry_lock_load(struct registry *r, struct lock_key key, struct lock *ret)
{
	char stored[STORED_NAME_SIZE];

	return find(r, &key, ret, stored);
}

int registry_locks_load(struct registry *r, bool held, struct lock **ret, size_t *ret_n)
{
	_cleanup_(query_done) struct query q = query_start(r, held ? STATEMENT_LOCKS_HELD
								   : STATEMENT_LOCKS_SCAN);
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0, size = 0;
	int more;

	while ((more = query_next(&q)) > 0) {
		if (array_reserve(locks, size, n + 1, FIRST_ROWS))
			return -ENOMEM;
		n += lock_decode(&q, &locks[n]);
	}
	if (more < 0)
		return more;
	*ret = TAKE_PTR(locks);
	*ret_n = n;
	return 0;
}

/* --- writing --- */

static int next_fence(struct registry *r, int64_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_META_COUNT_UP);
	int64_t fence;
	int more;

	query_bind_text(&q, 1, FENCE_KEY);
	more = query_next(&q);
	if (more <= 0)
		return more < 0 ? more : -EIO;
	fence = query_column_int(&q, 0, 1, INT64_MAX, 0);
	/* RETURNING has written by its first row, and is over at the end only */
	more = query_next(&q);
	if (more < 0)
		return more;
	if (!fence)
		return registry_fail(r, -EOVERFLOW);
	*ret = fence;
	return 0;
}

static int grant(struct registry *r, const struct lock *lock)
{
	struct lock_key key = lock_key_of(lock);
	char stored[STORED_NAME_SIZE];
	int error = find(r, &key, NULL, stored);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LOCK_GRANT);
	query_bind_text(&q, 1, stored);
	query_bind_text(&q, 2, lock->holder);
	query_bind_int(&q, 3, lock->acquired_at);
	query_bind_int_or_null(&q, 4, lock->ttl_s, 0);
	query_bind_int_or_null(&q, 5, lock->expires_at, 0);
	query_bind_int(&q, 6, lock->fence);
	query_bind_int(&q, 7, lock->uid);
	query_bind_int(&q, 8, lock->process.pid);
	query_bind_int(&q, 9, (int64_t)lock->process.start_ticks);
	query_bind_text(&q, 10, procfs_boot_id());
	query_bind_text(&q, 11, lock->comm);
	query_bind_int(&q, 12, lock->owner == LOCK_OF_MACHINE ? -1 : (int64_t)lock->owner);
	return query_run(&q);
}

int registry_lock_grant(struct registry *r, struct lock *lock)
{
	int error = registry_savepoint_open(r);

	if (error < 0)
		return error;
	error = next_fence(r, &lock->fence);
	error = error ?: grant(r, lock);
	return registry_savepoint_close(r, error);
}

int registry_lock_renew(struct registry *r, const struct lock *lock)
{
	struct lock_key key = lock_key_of(lock);
	char stored[STORED_NAME_SIZE];
	int error = registry_write_check(r);

	error = error ?: find(r, &key, NULL, stored);
	if (error)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LOCK_RENEW);
	query_bind_text(&q, 1, stored);
	query_bind_int(&q, 2, lock->fence);
	query_bind_int_or_null(&q, 3, lock->ttl_s, 0);
	query_bind_int_or_null(&q, 4, lock->expires_at, 0);
	query_bind_int(&q, 5, lock->process.pid);
	query_bind_int(&q, 6, (int64_t)lock->process.start_ticks);
	query_bind_text(&q, 7, lock->comm);
	return query_run_on_one(&q);
}

static int release(struct registry *r, const struct lock_key *key, int64_t fence, int64_t now,
		   int *ret_rows)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_LOCK_RELEASE);
	char stored[STORED_NAME_SIZE];
	int error = find(r, key, NULL, stored);

	*ret_rows = 0;
	if (error)
		return error < 0 ? error : 0;
	query_bind_text(&q, 1, stored);
	query_bind_int(&q, 2, fence);
	query_bind_int(&q, 3, now);
	error = query_run(&q);
	*ret_rows = error == 0 ? sqlite3_changes(r->db) : 0;
	return error;
}

bool lock_has_aged_out(const struct lock *lock, int64_t now)
{
	return !*lock->holder && lock->released_at && lock->released_at < now - LOCKS_FREE_KEEP_S;
}

int registry_lock_release(struct registry *r, struct lock_key key, int64_t fence, int64_t now)
{
	int rows = 0;
	int error = registry_write_check(r);

	error = error ?: release(r, &key, fence, now, &rows);
	if (rows)
		r->locks_freed_at = now;
	return error < 0 ? error : rows ? 0 : OUTCOME_NO;
}
