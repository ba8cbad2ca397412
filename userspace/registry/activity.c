/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "registry/internal.h"

static const char *const action_names[] = {
	[ACTIVITY_CLAIM] = "CLAIM",   [ACTIVITY_RELEASE] = "RELEASE",
	[ACTIVITY_ACTIVE] = "ACTIVE", [ACTIVITY_GHOST] = "GHOST",
	[ACTIVITY_ORPHAN] = "ORPHAN", [ACTIVITY_SQUAT] = "SQUAT",
	[ACTIVITY_STALE] = "STALE",   [ACTIVITY_FAIL] = "FAIL",
	[ACTIVITY_HEALTH] = "HEALTH", [ACTIVITY_LOCK] = "LOCK",
	[ACTIVITY_UNLOCK] = "UNLOCK", [ACTIVITY_SESSION] = "SESSION",
	[ACTIVITY_NOTE] = "NOTE",     [ACTIVITY_CLEANUP] = "CLEANUP",
	[ACTIVITY_GAP] = "GAP",	      [ACTIVITY_DAEMON] = "DAEMON",
	[ACTIVITY_RUN] = "RUN",
};
_Static_assert(ARRAY_SIZE(action_names) == _ACTIVITY_ACTION_MAX, "every action has a name");

const char *activity_action_name(enum activity_action a)
{
	return (unsigned)a < _ACTIVITY_ACTION_MAX ? action_names[a] : "UNKNOWN";
}

int activity_action_of_name(const char *name)
{
	for (int i = 0; i < _ACTIVITY_ACTION_MAX; i++)
		if (strcasecmp(action_names[i], name) == 0)
			return i;
	return -1;
}

int activity_copy(const struct activity *entry, struct activity **ret)
{
	struct activity copy = *entry;
	const char **const texts[] = { &copy.service, &copy.details, &copy.comm, &copy.call,
				       &copy.addr };
	size_t sizes[ARRAY_SIZE(texts)], total = 0;
	char *at;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		total += sizes[i] = *texts[i] ? strlen(*texts[i]) + 1 : 1;
	*ret = calloc(1, sizeof(copy) + total);
	if (!*ret)
		return -ENOMEM;
	at = (char *)(*ret + 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = memcpy(at, *texts[i] ? *texts[i] : "", sizes[i]);
		at += sizes[i];
	}
	**ret = copy;
	return 0;
}

/* NULL instead of "": sqlite3's `IS NULL` and count() then work as people expect. */
static void bind_text_or_null(struct query *q, int index, const char *text)
{
	query_bind_text(q, index, text && *text ? text : NULL);
}

int registry_log(struct registry *r, const struct activity *entry, int64_t *ret_id)
{
	char comm[4 * PROCESS_COMM_SIZE];
	int error = registry_write_check(r);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_ACTIVITY_INSERT);
	query_bind_text(&q, 1, activity_action_name(entry->action));
	bind_text_or_null(&q, 2, entry->service);
	bind_text_or_null(&q, 3, entry->details);
	query_bind_int(&q, 4, entry->timestamp);
	query_bind_int_or_null(&q, 5, entry->port, 0);
	query_bind_int_or_null(&q, 6, entry->pid, 0);
	query_bind_int_or_null(&q, 7, entry->uid, PROCESS_UID_UNKNOWN);
	bind_text_or_null(&q, 8,
			  entry->comm ? text_to_utf8(entry->comm, comm, sizeof(comm)) : NULL);
	query_bind_int_or_null(&q, 9, entry->error, 0);
	bind_text_or_null(&q, 10, entry->call);
	bind_text_or_null(&q, 11, entry->addr);
	error = query_run(&q);
	if (error == 0)
		registry_holdings_add(&r->log, entry->uid);
	if (error == 0 && ret_id)
		*ret_id = sqlite3_last_insert_rowid(r->db);
	return error;
}

int registry_count_activity_since(struct registry *r, int64_t since, int64_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_ACTIVITY_COUNT_SINCE);

	query_bind_int(&q, 1, since);
	return query_number(&q, ret);
}

/* How many more there are than are kept.  0, negative errno. */
static int excess_of(struct registry *r, int64_t *ret)
{
	int64_t rows = 0;
	int error = registry_holdings_refresh(r, &r->log, STATEMENT_ACTIVITY_OF_USERS);

	if (error < 0)
		return error;
	if (r->log.loaded)
		rows = registry_holdings_rows(&r->log);
	else
		error = query_count(r, STATEMENT_ACTIVITY_COUNT, &rows);
	*ret = rows - r->keep.rows;
	return error < 0 ? error : 0;
}

static int prune_before(struct registry *r, int64_t before, int max_rows)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_ACTIVITY_PRUNE_BEFORE);

	query_bind_int(&q, 1, before);
	query_bind_int(&q, 2, max_rows);
	query_bind_int(&q, 3, ACTIVITY_KEEP_NEWEST);
	return query_run_counting(&q);
}

/* Too many rows first, then too old ones; how many are gone. */
static int prune_rows(struct registry *r, int64_t now, int max_rows)
{
	int64_t excess;
	int error = excess_of(r, &excess);
	int pruned = 0, more;

	if (error < 0)
		return error;
	if (excess > 0)
		pruned = registry_holdings_forget(r, &r->log, STATEMENT_ACTIVITY_FORGET,
						  excess < max_rows ? excess : max_rows);
	if (pruned < 0 || pruned == max_rows)
		return pruned;
	more = prune_before(r, now - r->keep.age_s, max_rows - pruned);
	if (more)
		r->log.loaded = false;
	return more < 0 ? more : pruned + more;
}

void registry_set_activity_limits(struct registry *r, const struct activity_limits *limits)
{
	r->keep = *limits;
	if (r->keep.rows < ACTIVITY_KEEP_NEWEST)
		r->keep.rows = ACTIVITY_KEEP_NEWEST;
}

int registry_prune_activity(struct registry *r, int64_t now, int max_rows)
{
	int pruned = 0;
	int error = registry_savepoint_open(r);

	if (error < 0)
		return error;
	if (max_rows > 0) {
		pruned = prune_rows(r, now, max_rows);
		error = pruned < 0 ? pruned : registry_ports_prune(r, max_rows);
		error = error ?: registry_sessions_prune(r, now, max_rows);
		error = error ?: registry_locks_prune(r, now);
	}
	error = registry_savepoint_close(r, error);
	return error < 0 ? error : pruned;
}
