/* SPDX-License-Identifier: MIT */
/*
 * Every statement that runs while the daemon works, prepared once at open, and the typed way to run
 * one: a query remembers its first failed bind, so that a caller checks one result, at the step.
 *
 *	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_BY_ID);
 *
 *	query_bind_text(&q, 1, id);
 *	while ((error = query_next(&q)) > 0)
 *		… query_column_int(&q, COLUMN) …
 */
#ifndef REGISTRY_STATEMENTS_H
#define REGISTRY_STATEMENTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;

enum statement {
	STATEMENT_BEGIN = 0,
	STATEMENT_BEGIN_READING,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_SAVEPOINT,
	STATEMENT_SAVEPOINT_RELEASE,
	STATEMENT_SAVEPOINT_ROLLBACK,
	STATEMENT_DATA_VERSION,
	STATEMENT_META_SET,
	STATEMENT_LAST_ALIVE,
	STATEMENT_META_COUNT_UP,

	STATEMENT_SERVICE_BY_ID,
	STATEMENT_SERVICE_BY_PORT,
	STATEMENT_SERVICE_BY_HOME,
	STATEMENT_SERVICE_OF_NAME,
	STATEMENT_SERVICE_SCAN,
	STATEMENT_SERVICE_ALL,
	STATEMENT_SERVICE_INSERT,
	STATEMENT_SERVICE_REFRESH,
	STATEMENT_SERVICE_SET_PROTECTED,
	STATEMENT_SERVICE_PROTECTED,
	STATEMENT_SERVICE_DELETE,
	STATEMENT_SERVICE_SET_STATUS,
	STATEMENT_SERVICE_OLDEST,
	STATEMENT_SERVICE_EXPIRING,
	STATEMENT_SERVICES_COUNT,
	STATEMENT_SERVICES_COUNT_OF_STATUS,

	STATEMENT_PORT_REMEMBER,
	STATEMENT_PORT_REMEMBERED,
	STATEMENT_PORTS_CLAIMED,
	STATEMENT_PORTS_HOME,
	STATEMENT_PORTS_EVER,
	STATEMENT_PORTS_COUNT,
	STATEMENT_PORTS_OF_USERS,
	STATEMENT_PORTS_FORGET,

	STATEMENT_ACTIVITY_INSERT,
	STATEMENT_ACTIVITY_BY_ID,
	STATEMENT_ACTIVITY_IDS,
	STATEMENT_ACTIVITY_IDS_OF_SUBJECT,
	STATEMENT_ACTIVITY_IDS_OF_ACTION,
	STATEMENT_ACTIVITY_IDS_OF_BOTH,
	STATEMENT_ACTIVITY_IDS_OF_PORT,
	STATEMENT_ACTIVITY_IDS_OF_SPAN,
	STATEMENT_ACTIVITY_SUBJECTS,
	STATEMENT_ACTIVITY_COUNT,
	STATEMENT_ACTIVITY_COUNT_SINCE,
	STATEMENT_ACTIVITY_OF_USERS,
	STATEMENT_ACTIVITY_FORGET,
	STATEMENT_ACTIVITY_PRUNE_BEFORE,

	STATEMENT_REFUSAL_INSERT,
	STATEMENT_REFUSAL_SCAN,
	STATEMENT_REFUSAL_OF_UID,
	STATEMENT_REFUSAL_OF_PID,
	STATEMENT_REFUSALS_COUNT,
	STATEMENT_REFUSALS_NEWEST,
	STATEMENT_REFUSALS_PRUNE,

	STATEMENT_HEALTH_STORE,
	STATEMENT_HEALTH_BY_ID,

	STATEMENT_LOCK_BY_NAME,
	STATEMENT_LOCKS_SCAN,
	STATEMENT_LOCKS_HELD,
	STATEMENT_LOCKS_COUNT,
	STATEMENT_LOCK_GRANT,
	STATEMENT_LOCK_RENEW,
	STATEMENT_LOCK_RELEASE,
	STATEMENT_LOCKS_PRUNE,
	STATEMENT_LOCKS_PRUNE_OLD,

	STATEMENT_SESSION_INSERT,
	STATEMENT_SESSION_END,
	STATEMENT_SESSION_STALL,
	STATEMENT_SESSION_REVIVE,
	STATEMENT_SESSION_BY_ID,
	STATEMENT_SESSION_BY_PREFIX,
	STATEMENT_SESSION_OPEN,
	STATEMENT_SESSION_COMPLETED,
	STATEMENT_SESSIONS_COUNT,
	STATEMENT_SESSIONS_COUNT_ACTIVE,
	STATEMENT_SESSIONS_GIVE_UP,
	STATEMENT_SESSIONS_PRUNE_OLD,
	STATEMENT_SESSIONS_FORGET,

	STATEMENT_NOTE_INSERT,
	STATEMENT_NOTE_OF_SESSION,
	STATEMENT_NOTE_BEFORE_NEWEST,
	STATEMENT_NOTES_PRUNE_LEFT,
	STATEMENT_NOTE_SUM,
	STATEMENT_NOTE_SUM_GREATEST,
	STATEMENT_NOTE_SUMS_CLEAR,
	STATEMENT_NOTE_SUMS_FILL,
	STATEMENT_NOTE_FORGET_OF_SESSION,
	STATEMENT_NOTE_FORGET_OF_USER,

	STATEMENT_RUNS_SCAN,
	STATEMENT_RUN_INSERT,
	STATEMENT_RUN_SET_STATE,
	STATEMENT_RUN_DELETE,

	STATEMENT_LAUNCHERS_SCAN,
	STATEMENT_LAUNCHER_STORE,
	STATEMENT_LAUNCHER_DELETE,
	STATEMENT_LAUNCHERS_CLEAR,

	STATEMENT_HISTORY_INSERT,
	STATEMENT_HISTORY_END,
	STATEMENT_HISTORY_END_OTHER_BOOTS,
	STATEMENT_HISTORY_SCAN,
	STATEMENT_HISTORY_OF_PORT,
	STATEMENT_HISTORY_OF_SERVICE,
	STATEMENT_HISTORY_OPEN,
	STATEMENT_HISTORY_OPEN_PORTS,
	STATEMENT_HISTORY_COUNT,
	STATEMENT_HISTORY_OF_USERS,
	STATEMENT_HISTORY_FORGET,
	STATEMENT_HISTORY_PRUNE_BEFORE,
	_STATEMENT_MAX
};

/* The columns of STATEMENT_SERVICE_BY_ID, _BY_PORT, _BY_HOME, _OF_NAME, _SCAN, _OLDEST and
 * _EXPIRING. */
enum service_column {
	SERVICE_COLUMN_ID = 0,
	SERVICE_COLUMN_PORT,
	SERVICE_COLUMN_STATUS,
	SERVICE_COLUMN_CREATED_AT,
	SERVICE_COLUMN_UPDATED_AT,
	SERVICE_COLUMN_EXPIRES_AT,
	SERVICE_COLUMN_HEALTH_PATH,
	SERVICE_COLUMN_UID,
	SERVICE_COLUMN_CWD,
	SERVICE_COLUMN_SID,
	SERVICE_COLUMN_CLAIMER_PID,
	SERVICE_COLUMN_CLAIMER_START,
	SERVICE_COLUMN_BOOT_ID,
	SERVICE_COLUMN_EVER_ACTIVE,
	SERVICE_COLUMN_RANGE_FIRST,
	SERVICE_COLUMN_RANGE_LAST,
	SERVICE_COLUMN_HOME, /* NULL where the claim is at home */
	SERVICE_COLUMN_PROTECTED,
};

/* The columns of STATEMENT_ACTIVITY_BY_ID. */
enum activity_column {
	ACTIVITY_COLUMN_ID = 0,
	ACTIVITY_COLUMN_ACTION,
	ACTIVITY_COLUMN_SERVICE,
	ACTIVITY_COLUMN_DETAILS,
	ACTIVITY_COLUMN_TIMESTAMP,
	ACTIVITY_COLUMN_PORT,
	ACTIVITY_COLUMN_PID,
	ACTIVITY_COLUMN_UID,
	ACTIVITY_COLUMN_COMM,
	ACTIVITY_COLUMN_ERROR,
	ACTIVITY_COLUMN_CALL,
	ACTIVITY_COLUMN_ADDR,
};

/* The columns of STATEMENT_ACTIVITY_IDS; the first two of _OF_SUBJECT, _OF_ACTION, … */
enum activity_id_column {
	ACTIVITY_ID_COLUMN_ID = 0,
	ACTIVITY_ID_COLUMN_ACTION,
	ACTIVITY_ID_COLUMN_SERVICE,
	ACTIVITY_ID_COLUMN_PORT,
};

/* The columns of STATEMENT_REFUSAL_SCAN, _OF_UID and _OF_PID. */
enum refusal_column {
	REFUSAL_COLUMN_ID = 0,
	REFUSAL_COLUMN_TIMESTAMP,
	REFUSAL_COLUMN_PID,
	REFUSAL_COLUMN_START_TICKS,
	REFUSAL_COLUMN_BOOT_ID,
	REFUSAL_COLUMN_UID,
	REFUSAL_COLUMN_COMM,
	REFUSAL_COLUMN_PORT,
	REFUSAL_COLUMN_ERROR,
	REFUSAL_COLUMN_EXPLANATION,
};

/* The columns of STATEMENT_HEALTH_BY_ID. */
enum health_column {
	HEALTH_COLUMN_CHECKED_AT = 0,
	HEALTH_COLUMN_RESULT,
	HEALTH_COLUMN_HTTP_STATUS,
	HEALTH_COLUMN_ELAPSED_US,
	HEALTH_COLUMN_URL,
	HEALTH_COLUMN_DETAILS,
};

/* The columns of STATEMENT_LOCK_BY_NAME, _LOCKS_SCAN and _LOCKS_HELD. */
enum lock_column {
	LOCK_COLUMN_NAME = 0,
	LOCK_COLUMN_HOLDER,
	LOCK_COLUMN_ACQUIRED_AT,
	LOCK_COLUMN_TTL,
	LOCK_COLUMN_EXPIRES_AT,
	LOCK_COLUMN_RELEASED_AT,
	LOCK_COLUMN_FENCE,
	LOCK_COLUMN_UID,
	LOCK_COLUMN_PID,
	LOCK_COLUMN_START_TICKS,
	LOCK_COLUMN_BOOT_ID,
	LOCK_COLUMN_COMM,
	LOCK_COLUMN_OWNER,
};

/* The columns of STATEMENT_SESSION_BY_ID, _BY_PREFIX, _OPEN and _COMPLETED. */
enum session_column {
	SESSION_COLUMN_ID = 0,
	SESSION_COLUMN_PURPOSE,
	SESSION_COLUMN_AGENT,
	SESSION_COLUMN_STARTED_AT,
	SESSION_COLUMN_ENDED_AT,
	SESSION_COLUMN_STALLED_AT,
	SESSION_COLUMN_STATE, /* enum session_status */
	SESSION_COLUMN_UID,
	SESSION_COLUMN_CWD,
	SESSION_COLUMN_TTY,
	SESSION_COLUMN_PID,
	SESSION_COLUMN_START_TICKS,
	SESSION_COLUMN_BOOT_ID,
	SESSION_COLUMN_NOTES,
	SESSION_COLUMN_LAST_NOTE,
	SESSION_COLUMN_LAST_NOTE_AT,
	SESSION_COLUMN_PLACE,
};

/* The columns of STATEMENT_NOTE_OF_SESSION. */
enum note_column {
	NOTE_COLUMN_ID = 0,
	NOTE_COLUMN_SESSION,
	NOTE_COLUMN_TIMESTAMP,
	NOTE_COLUMN_TEXT,
	NOTE_COLUMN_UID,
	NOTE_COLUMN_PID,
	NOTE_COLUMN_COMM,
};

/* The columns of STATEMENT_RUNS_SCAN. */
enum run_column {
	RUN_COLUMN_ID = 0,
	RUN_COLUMN_SERVICE,
	RUN_COLUMN_PORT,
	RUN_COLUMN_UID,
	RUN_COLUMN_PID,
	RUN_COLUMN_START_TICKS,
	RUN_COLUMN_BOOT_ID,
	RUN_COLUMN_OUTER,
	RUN_COLUMN_SINCE,
	RUN_COLUMN_STATE,
	RUN_COLUMN_HARDCODED,
	RUN_COLUMN_PROJECT,
};

/* The columns of STATEMENT_LAUNCHERS_SCAN. */
enum launcher_column {
	LAUNCHER_COLUMN_SERVER_PID = 0,
	LAUNCHER_COLUMN_SERVER_START,
	LAUNCHER_COLUMN_BOOT_ID,
	LAUNCHER_COLUMN_PID,
	LAUNCHER_COLUMN_START_TICKS,
	LAUNCHER_COLUMN_COMM,
	LAUNCHER_COLUMN_EXIT_CODE,
	LAUNCHER_COLUMN_ENDED_AT,
};

/* The columns of STATEMENT_HISTORY_SCAN, _OF_PORT, _OF_SERVICE and _OPEN. */
enum history_column {
	HISTORY_COLUMN_ID = 0,
	HISTORY_COLUMN_PORT,
	HISTORY_COLUMN_PROTO,
	HISTORY_COLUMN_ADDR,
	HISTORY_COLUMN_NETNS,
	HISTORY_COLUMN_PID,
	HISTORY_COLUMN_START_TICKS,
	HISTORY_COLUMN_COMM,
	HISTORY_COLUMN_UID,
	HISTORY_COLUMN_SERVICE,
	HISTORY_COLUMN_SINCE,
	HISTORY_COLUMN_UNTIL,
	HISTORY_COLUMN_HOW,
	HISTORY_COLUMN_CODE,
	HISTORY_COLUMN_COOKIE,
	HISTORY_COLUMN_ASKED_PORT,
};

/* Prepares all of them; 0 or an SQLite result code, with what is prepared so far in statements. */
int statements_prepare(sqlite3 *db, sqlite3_stmt *statements[_STATEMENT_MAX]);
/* Is one of them, or of others, in the midst of its rows? */
bool statements_are_busy(sqlite3 *db);
void statements_finalize(sqlite3_stmt *statements[_STATEMENT_MAX]);

struct query {
	struct registry *registry;
	sqlite3_stmt *stmt;
	int rc;	     /* of the first bind that failed */
	bool cached; /* stmt is the registry's; else it is this query's own */
};

/*
 * Starts on a prepared statement.  A statement that is being stepped through already (a visit that
 * asks the registry the same question again) is prepared a second time for this query.
 */
struct query query_start(struct registry *r, enum statement which);
void query_done(struct query *q);

/* The text is borrowed until query_done(); NULL is bound as NULL. */
void query_bind_text(struct query *q, int index, const char *text);
void query_bind_int(struct query *q, int index, int64_t value);
/* NULL instead of `none`. */
void query_bind_int_or_null(struct query *q, int index, int64_t value, int64_t none);

/* 1 with a row, 0 at the end, negative errno (and the batch is marked as lost where SQLite undid it
 * as a whole). */
int query_next(struct query *q);
/* Runs a statement to its end; 0, negative errno. */
int query_run(struct query *q);
/* query_run(); how many rows it has changed, or a negative errno. */
int query_run_counting(struct query *q);
/* query_run() of what changes one row: 0, OUTCOME_NO where there was none, negative errno. */
int query_run_on_one(struct query *q);
/* query_start() and query_run() of a statement whose parameters, where it has any, are integers. */
#define query_execute(r, which, ...)                                            \
	query_execute_with((r), (which), (const int64_t[]){ 0, ##__VA_ARGS__ }, \
			   sizeof((const int64_t[]){ 0, ##__VA_ARGS__ }) / sizeof(int64_t))
/* The same; the first of the n values is not bound. */
int query_execute_with(struct registry *r, enum statement which, const int64_t *values, size_t n);
/* The row of a statement that always has one: 0; negative errno, -EIO without one. */
int query_row(struct query *q);
/* The same with the number in its first column. */
int query_number(struct query *q, int64_t *ret);
/* The first column of the first row, as query_column_int() takes it, and `otherwise` without a row.
 * 0, negative errno. */
int query_number_or(struct query *q, int64_t min, int64_t max, int64_t otherwise, int64_t *ret);
/* query_start() and query_number() of a statement that counts, and always has a row.  0, negative
 * errno. */
int query_count(struct registry *r, enum statement which, int64_t *ret);

/*
 * Columns may hold whatever a person typed: text in integers, NULL, numbers out of range.  An
 * integer is what SQLite makes of it, `otherwise` when that is outside min..max or NULL.
 */
int64_t query_column_int(const struct query *q, int column, int64_t min, int64_t max,
			 int64_t otherwise);
/* NULL for NULL. */
const char *query_column_text(const struct query *q, int column);
/* The text when it is valid UTF-8, else a repaired copy in buffer, "" for NULL. */
const char *query_column_utf8(const struct query *q, int column, char *buffer, size_t size);

#endif
