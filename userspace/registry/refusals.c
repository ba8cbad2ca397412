/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/quota.h"
#include "base/text.h"
#include "registry/internal.h"

#define COMM_SIZE 1024 /* of a name that a person typed and that is no text */

static int insert(struct registry *r, const struct refusal_record *refusal, int64_t *ret_id)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_REFUSAL_INSERT);
	char comm[4 * PROCESS_COMM_SIZE];
	int error;

	query_bind_int(&q, 1, refusal->at);
	query_bind_int_or_null(&q, 2, refusal->caller.pid, 0);
	query_bind_int_or_null(&q, 3, (int64_t)refusal->caller.start_ticks, 0);
	query_bind_text(&q, 4, procfs_boot_id());
	query_bind_int_or_null(&q, 5, refusal->uid, PROCESS_UID_UNKNOWN);
	query_bind_text(&q, 6,
			refusal->comm ? text_to_utf8(refusal->comm, comm, sizeof(comm)) : NULL);
	query_bind_int(&q, 7, refusal->port);
	query_bind_int(&q, 8, refusal->error);
	query_bind_text(&q, 9, refusal->explanation);
	query_bind_int_or_null(&q, 10, refusal->id, 0);
	error = query_run(&q);
	if (error == 0)
		*ret_id = sqlite3_last_insert_rowid(r->db);
	return error;
}

/* In slices: whose rows go is found out by looking at all of them. */
static int prune(struct registry *r)
{
	int64_t keep = (int64_t)quota_limit(QUOTA_REFUSALS_KEPT)->machine, count = 0;
	int error = query_count(r, STATEMENT_REFUSALS_COUNT, &count);

	if (error || count < keep + FAILURES_PRUNE_SLICE)
		return error;
	return query_execute(r, STATEMENT_REFUSALS_PRUNE, count - keep);
}

int registry_next_refusal_id(struct registry *r, int64_t *ret_id)
{
	int64_t newest = 0;
	int error = r->refusal_id ? 0 : query_count(r, STATEMENT_REFUSALS_NEWEST, &newest);

	if (error)
		return error;
	if (newest > r->refusal_id)
		r->refusal_id = newest;
	/* a person gave the last id that there is: SQLite finds one that is free */
	*ret_id = r->refusal_id < INT64_MAX ? ++r->refusal_id : 0;
	return 0;
}

int registry_record_refusal(struct registry *r, const struct refusal_record *refusal,
			    int64_t *ret_id)
{
	int64_t id = 0;
	int error = registry_savepoint_open(r);

	if (error < 0)
		return error;
	error = insert(r, refusal, &id);
	error = error ?: prune(r);
	error = registry_savepoint_close(r, error);
	if (error == 0 && ret_id)
		*ret_id = id;
	return error;
}

/* A pid means the same process only within one boot; of an earlier one its start is not known. */
static uint64_t start_of_this_boot(const struct query *q)
{
	const char *boot_id = query_column_text(q, REFUSAL_COLUMN_BOOT_ID);

	if (!boot_id || strcmp(boot_id, procfs_boot_id()) != 0)
		return 0;
	return (uint64_t)query_column_int(q, REFUSAL_COLUMN_START_TICKS, 0, INT64_MAX, 0);
}

/* False when nothing is explained: a person wrote that row. */
static bool refusal_decode(const struct query *q, struct refusal_record *ret, char comm[COMM_SIZE])
{
	const char *explanation = query_column_text(q, REFUSAL_COLUMN_EXPLANATION);

	if (!explanation || !*explanation || !text_is_utf8(explanation, strlen(explanation)))
		return false;
	*ret = (struct refusal_record){
		.id = query_column_int(q, REFUSAL_COLUMN_ID, INT64_MIN, INT64_MAX, 0),
		.at = query_column_int(q, REFUSAL_COLUMN_TIMESTAMP, 0, REGISTRY_TIME_MAX_S, 0),
		.caller.pid = (pid_t)query_column_int(q, REFUSAL_COLUMN_PID, 0, INT32_MAX, 0),
		.caller.start_ticks = start_of_this_boot(q),
		.uid = (uid_t)query_column_int(q, REFUSAL_COLUMN_UID, 0, PROCESS_UID_UNKNOWN,
					       PROCESS_UID_UNKNOWN),
		.comm = query_column_utf8(q, REFUSAL_COLUMN_COMM, comm, COMM_SIZE),
		.port = (uint16_t)query_column_int(q, REFUSAL_COLUMN_PORT, 0, UINT16_MAX, 0),
		.error = (int)query_column_int(q, REFUSAL_COLUMN_ERROR, 0, INT32_MAX, 0),
		.explanation = explanation,
	};
	return true;
}

static enum statement statement_for(const struct refusal_filter *filter)
{
	if (filter->pid)
		return STATEMENT_REFUSAL_OF_PID;
	return filter->uid != PROCESS_UID_UNKNOWN ? STATEMENT_REFUSAL_OF_UID
						  : STATEMENT_REFUSAL_SCAN;
}

int registry_for_each_refusal(struct registry *r, const struct refusal_filter *filter,
			      refusal_visit visit, void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, statement_for(filter));
	char comm[COMM_SIZE];
	int64_t visited = 0;
	int more;

	query_bind_int_or_null(&q, 1, filter->uid, PROCESS_UID_UNKNOWN);
	query_bind_int_or_null(&q, 2, filter->pid, 0);
	query_bind_int_or_null(&q, 3, filter->port, 0);
	while ((filter->limit <= 0 || visited < filter->limit) && (more = query_next(&q)) != 0) {
		struct refusal_record refusal;

		if (more < 0)
			return more;
		if (!refusal_decode(&q, &refusal, comm))
			continue;
		visited++;
		if (!visit(&refusal, user_data))
			return 0;
	}
	return 0;
}
