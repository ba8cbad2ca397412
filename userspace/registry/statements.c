/* SPDX-License-Identifier: MIT */
#include "registry/statements.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "database/schema.h"
#include "registry/internal.h"

/* In the order of enum service_column. */
#define SERVICE_COLUMNS                                                                  \
	"id, port, status, createdAt, updatedAt, expiresAt, healthPath, uid, cwd, sid, " \
	"claimerPid, claimerStart, bootId, everActive, rangeFirst, rangeLast, home, protected"

/* What the claim of an existing service may change beside its times, and what it makes of it. */
#define REFRESHED_COLUMNS                                                                         \
	"port, healthPath, status, uid, cwd, sid, claimerPid, claimerStart, bootId, everActive, " \
	"expiresAt, rangeFirst, rangeLast, home"
#define REFRESHED_VALUES                                                                      \
	"?2, coalesce(?4, healthPath), ?5, ?6, coalesce(?7, cwd), coalesce(?8, sid), "        \
	"coalesce(?9, claimerPid), coalesce(?10, claimerStart), coalesce(?11, bootId), ?12, " \
	"?13, coalesce(?14, rangeFirst), coalesce(?15, rangeLast), ?16"

/* In the order of enum activity_column. */
#define ACTIVITY_COLUMNS \
	"id, action, service, details, timestamp, port, pid, uid, comm, error, call, addr"

/* Parameters that all ways to walk down the activity share: ?1 and ?2 the ids, both included, ?3
 * from, ?4 to, 0 = open.  The unary plus keeps the planner from the index on time: the answer is
 * ordered by id. */
#define ACTIVITY_WALK                                                                       \
	"id >= ?1 AND id <= ?2 AND (?3 = 0 OR +timestamp >= ?3) AND (?4 = 0 OR +timestamp " \
	"<= ?4) ORDER BY id DESC"

/* In the order of enum refusal_column. */
#define REFUSAL_COLUMNS \
	"id, timestamp, pid, startTicks, bootId, uid, comm, port, error, explanation"

/* ?1 uid, ?2 pid, ?3 port; NULL = any.  Unary plus: see ACTIVITY_WALK. */
#define FAILURE_OF_UID	"(?1 IS NULL OR +uid = ?1)"
#define FAILURE_OF_PORT "(?3 IS NULL OR port = ?3)"

/* In the order of enum lock_column. */
#define LOCK_COLUMNS                                                                          \
	"name, holder, acquiredAt, ttl, expiresAt, releasedAt, fence, uid, pid, startTicks, " \
	"bootId, comm, owner"

/* A holder that a person emptied is none. */
#define LOCK_IS_HELD "ifnull(holder, '') <> ''"
/* The same number that a reader makes of what a person typed there. */
#define LOCK_HAS_FENCE "max(CAST(ifnull(fence, 0) AS INTEGER), 0) = ?2"

/* enum session_status of a row, whatever a person made of it. */
#define SESSION_STATE                                                                  \
	"CASE WHEN ifnull(endedAt, 0) > 0 OR ifnull(status, '') = 'completed' THEN 2 " \
	"WHEN ifnull(status, '') = 'stalled' THEN 1 ELSE 0 END"

/* The same as SESSION_STATE = 0; the words are those of an index. */
#define SESSION_IS_ACTIVE SCHEMA_SESSION_IS_ACTIVE

/* Sessions that are over, each with its place among those of its user, the newest first. */
#define SESSIONS_OVER                                                             \
	"SELECT rowid FROM (SELECT rowid, row_number() OVER (PARTITION BY uid "   \
	"ORDER BY " SESSION_OVER_SINCE " DESC, id) AS place, " SESSION_OVER_SINCE \
	" AS since FROM sessions WHERE NOT " SESSION_IS_ACTIVE ") "

/* In the order of enum session_column. */
#define SESSION_COLUMNS                                                                          \
	"id, purpose, agent, startedAt, endedAt, stalledAt, " SESSION_STATE " AS state, "        \
	"uid, cwd, tty, pid, startTicks, bootId, "                                               \
	"(SELECT count(*) FROM notes WHERE notes.session = sessions.id), "                       \
	"(SELECT text FROM notes WHERE notes.session = sessions.id ORDER BY id DESC LIMIT 1), "  \
	"(SELECT timestamp FROM notes WHERE notes.session = sessions.id ORDER BY id DESC LIMIT " \
	"1), rowid"

/* In the order of enum launcher_column. */
#define LAUNCHER_COLUMNS "serverPid, serverStart, bootId, pid, startTicks, comm, exitCode, endedAt"

/* In the order of enum history_column. */
#define HISTORY_COLUMNS                                                                          \
	"id, port, proto, addr, netns, pid, startTicks, comm, uid, service, since, until, how, " \
	"code, "                                                                                 \
	"cookie, askedPort"
/* ?1 older than that id, ?2 not ended before. */
#define HISTORY_WALK "id < ?1 AND (?2 = 0 OR until IS NULL OR until >= ?2) ORDER BY id DESC"

/* When a session that is not active became so. */
#define SESSION_OVER_SINCE "coalesce(endedAt, stalledAt, startedAt, 0)"

/* In the order of enum note_column. */
#define NOTE_COLUMNS "id, session, timestamp, text, uid, pid, comm"

static const char *const statement_sql[] = {
	/* The write lock at once: a reader that turns writer later can be refused for ever. */
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_BEGIN_READING] = "BEGIN",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_SAVEPOINT] = "SAVEPOINT change",
	[STATEMENT_SAVEPOINT_RELEASE] = "RELEASE change",
	[STATEMENT_SAVEPOINT_ROLLBACK] = "ROLLBACK TO change",
	[STATEMENT_DATA_VERSION] = "PRAGMA data_version",
	[STATEMENT_META_SET] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
	/* the mark, or what was written after it; nothing without a mark */
	[STATEMENT_LAST_ALIVE] =
		"SELECT max(value, ifnull((SELECT max(timestamp) FROM activity), 0), "
		"ifnull((SELECT max(updatedAt) FROM services), 0)) FROM meta WHERE key = ?1",
	[STATEMENT_META_COUNT_UP] =
		"INSERT INTO meta(key, value) VALUES(?1, 1) ON CONFLICT(key) "
		"DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value",

	[STATEMENT_SERVICE_BY_ID] = "SELECT " SERVICE_COLUMNS " FROM services WHERE id = ?1",
	[STATEMENT_SERVICE_BY_PORT] = "SELECT " SERVICE_COLUMNS " FROM services WHERE port = ?1",
	[STATEMENT_SERVICE_BY_HOME] = "SELECT " SERVICE_COLUMNS " FROM services WHERE home = ?1",
	/* ?1 "NAME@", ?2 "NAMEA": what begins with the former and goes on */
	[STATEMENT_SERVICE_OF_NAME] = "SELECT " SERVICE_COLUMNS " FROM services "
				      "WHERE id > ?1 AND id < ?2 ORDER BY id",
	[STATEMENT_SERVICE_SCAN] = "SELECT " SERVICE_COLUMNS " FROM services "
				   "WHERE id >= max(?1, ?3) AND id < ?2 AND id <> ?3 ORDER BY id",
	/* Rows with ids that no pattern reaches, too, in whatever order. */
	[STATEMENT_SERVICE_ALL] = "SELECT " SERVICE_COLUMNS " FROM services",
	[STATEMENT_SERVICE_INSERT] =
		"INSERT INTO services(id, port, createdAt, updatedAt, healthPath, status, uid, "
		"cwd, "
		"sid, claimerPid, claimerStart, bootId, everActive, expiresAt, rangeFirst, "
		"rangeLast, home) "
		"VALUES(?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, "
		"?16)",
	/* The parameters of the insert; where NULL is bound, what is there stays, but for the home.
	 * ?17 seconds. */
	[STATEMENT_SERVICE_REFRESH] =
		"UPDATE services SET updatedAt = ?3, createdAt = coalesce(createdAt, ?3), "
		"(" REFRESHED_COLUMNS ") = (" REFRESHED_VALUES ") "
		"WHERE id = ?1 AND (createdAt IS NULL "
		"OR ifnull(updatedAt, 0) NOT BETWEEN ?3 - ?17 AND ?3 "
		"OR (" REFRESHED_COLUMNS ") IS NOT (" REFRESHED_VALUES "))",
	[STATEMENT_SERVICE_SET_PROTECTED] = "UPDATE services SET protected = ?2 WHERE id = ?1",
	[STATEMENT_SERVICE_PROTECTED] = "SELECT " SERVICE_COLUMNS
					" FROM services WHERE protected IS NOT NULL",
	[STATEMENT_SERVICE_DELETE] = "DELETE FROM services WHERE id = ?1",
	[STATEMENT_SERVICE_SET_STATUS] =
		"UPDATE services SET status = ?2, updatedAt = coalesce(?3, updatedAt), "
		"everActive = coalesce(?4, everActive) WHERE id = ?1",
	[STATEMENT_SERVICE_OLDEST] = "SELECT " SERVICE_COLUMNS " FROM services "
				     "WHERE status = ?1 ORDER BY updatedAt",
	[STATEMENT_SERVICE_EXPIRING] = "SELECT " SERVICE_COLUMNS " FROM services "
				       "WHERE expiresAt > 0 ORDER BY expiresAt",
	/* Of a whole table SQLite adds up what its pages say; GROUP BY would look at each row. */
	[STATEMENT_SERVICES_COUNT] = "SELECT count(*) FROM services",
	[STATEMENT_SERVICES_COUNT_OF_STATUS] = "SELECT count(*) FROM services WHERE status = ?1",

	/* Replaced, not updated: the highest rowid of an id is the port that it had last. */
	[STATEMENT_PORT_REMEMBER] =
		"INSERT OR REPLACE INTO ports(id, port, claimedAt, uid) VALUES(?1, ?2, ?3, ?4)",
	/* The port of the row whose rowid is the highest; ORDER BY would build a table to sort. */
	[STATEMENT_PORT_REMEMBERED] = "SELECT port, max(rowid) FROM ports "
				      "WHERE id IN (?1, ?2) AND ifnull(uid, ?3) = ?3",
	/* past the indexes, whose rows may be lost */
	[STATEMENT_PORTS_CLAIMED] = "SELECT port, uid, instr(id, '@') FROM services NOT INDEXED "
				    "WHERE port BETWEEN 1 AND 65535 AND typeof(port) = 'integer'",
	[STATEMENT_PORTS_HOME] = "SELECT home FROM services NOT INDEXED "
				 "WHERE home BETWEEN 1 AND 65535 AND typeof(home) = 'integer'",
	[STATEMENT_PORTS_EVER] = "SELECT DISTINCT port FROM ports "
				 "WHERE port BETWEEN 1 AND 65535 AND typeof(port) = 'integer'",
	[STATEMENT_PORTS_COUNT] = "SELECT count(*) FROM ports",
	/* No index for what happens after a hundred thousand names: each claim would pay for it. */
	[STATEMENT_PORTS_OF_USERS] =
		"SELECT uid, count(*) AS n FROM ports GROUP BY uid ORDER BY n DESC",
	/* A port's newest row stays, because it says that the port was ever claimed. */
	[STATEMENT_PORTS_FORGET] =
		"DELETE FROM ports WHERE rowid IN (SELECT p.rowid FROM ports p WHERE p.uid IS ?1 "
		"AND EXISTS (SELECT 1 FROM ports q WHERE q.port = p.port AND q.rowid > p.rowid) "
		"ORDER BY p.rowid LIMIT ?2)",

	[STATEMENT_ACTIVITY_INSERT] =
		"INSERT INTO activity(action, service, details, timestamp, port, pid, uid, comm, "
		"error, call, addr) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[STATEMENT_ACTIVITY_BY_ID] = "SELECT " ACTIVITY_COLUMNS " FROM activity WHERE id = ?1",
	[STATEMENT_ACTIVITY_IDS] =
		"SELECT id, action, service, port FROM activity WHERE " ACTIVITY_WALK,
	[STATEMENT_ACTIVITY_IDS_OF_SUBJECT] =
		"SELECT id, action FROM activity INDEXED BY activityByService "
		"WHERE service = ?5 AND " ACTIVITY_WALK,
	[STATEMENT_ACTIVITY_IDS_OF_ACTION] =
		"SELECT id, action FROM activity INDEXED BY activityByAction "
		"WHERE action = ?6 AND " ACTIVITY_WALK,
	[STATEMENT_ACTIVITY_IDS_OF_BOTH] =
		"SELECT id, action FROM activity INDEXED BY activityByBoth "
		"WHERE service = ?5 AND action = ?6 AND " ACTIVITY_WALK,
	[STATEMENT_ACTIVITY_IDS_OF_PORT] =
		"SELECT id, action FROM activity INDEXED BY activityByPort "
		"WHERE port = ?7 AND " ACTIVITY_WALK,
	[STATEMENT_ACTIVITY_IDS_OF_SPAN] =
		"SELECT min(id), max(id), count(*) FROM (SELECT id FROM activity "
		"INDEXED BY activityByTime WHERE timestamp >= ?1 AND timestamp <= ?2 LIMIT ?3)",
	/* From each name a step to the next one: DISTINCT would read the whole index. */
	[STATEMENT_ACTIVITY_SUBJECTS] =
		"WITH RECURSIVE names(name) AS ("
		"SELECT min(service) FROM activity WHERE service >= ?1 AND service < ?2 "
		"UNION ALL SELECT (SELECT min(service) FROM activity "
		"WHERE service > name AND service < ?2) FROM names WHERE name IS NOT NULL) "
		"SELECT name FROM names WHERE name IS NOT NULL",
	[STATEMENT_ACTIVITY_COUNT] = "SELECT count(*) FROM activity",
	[STATEMENT_ACTIVITY_COUNT_SINCE] = "SELECT count(*) FROM activity WHERE timestamp >= ?1",
	[STATEMENT_ACTIVITY_OF_USERS] =
		"SELECT uid, count(*) AS n FROM activity GROUP BY uid ORDER BY n DESC",
	[STATEMENT_ACTIVITY_FORGET] = "DELETE FROM activity WHERE id IN (SELECT id FROM activity "
				      "INDEXED BY activityByUid "
				      "WHERE uid IS ?1 ORDER BY id LIMIT ?2)",
	/* ?3: how many of the newest are kept whatever their age. */
	[STATEMENT_ACTIVITY_PRUNE_BEFORE] =
		"DELETE FROM activity WHERE id IN (SELECT id FROM activity WHERE timestamp < ?1 "
		"AND id <= (SELECT id FROM activity ORDER BY id DESC LIMIT 1 OFFSET ?3) "
		"ORDER BY timestamp LIMIT ?2)",

	[STATEMENT_REFUSAL_INSERT] =
		"INSERT INTO failures(id, timestamp, pid, startTicks, bootId, uid, comm, port, "
		"error, explanation) VALUES(CASE WHEN EXISTS(SELECT 1 FROM failures WHERE "
		"id = ?10) THEN NULL ELSE ?10 END, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[STATEMENT_REFUSAL_SCAN] = "SELECT " REFUSAL_COLUMNS " FROM failures "
				   "WHERE " FAILURE_OF_PORT " ORDER BY id DESC",
	[STATEMENT_REFUSAL_OF_UID] = "SELECT " REFUSAL_COLUMNS " FROM failures "
				     "WHERE uid = ?1 AND " FAILURE_OF_PORT " ORDER BY id DESC",
	[STATEMENT_REFUSAL_OF_PID] = "SELECT " REFUSAL_COLUMNS " FROM failures "
				     "WHERE pid = ?2 AND " FAILURE_OF_UID " AND " FAILURE_OF_PORT
				     " ORDER BY id DESC",
	/* SQLite counts by an index: the rows have kilobytes each */
	[STATEMENT_REFUSALS_COUNT] = "SELECT count(*) FROM failures",
	[STATEMENT_REFUSALS_NEWEST] = "SELECT max(id) FROM failures",
	/*
	 * A row's place among its user's own: behind those that are newer and of a process or port
	 * with fewer.  Who has most has the last places, and loses them.
	 */
	[STATEMENT_REFUSALS_PRUNE] =
		"DELETE FROM failures WHERE id IN (SELECT id FROM ("
		"SELECT id, row_number() OVER (PARTITION BY uid "
		"ORDER BY max(ofPort, ofProcess), id DESC) AS place FROM ("
		"SELECT id, uid, "
		"row_number() OVER (PARTITION BY uid, port ORDER BY id DESC) AS ofPort, "
		"row_number() OVER (PARTITION BY uid, pid, startTicks ORDER BY id DESC) "
		"AS ofProcess FROM failures)) ORDER BY place DESC, id LIMIT ?1)",

	/* By way of a SELECT: a service that was released meanwhile is no violated reference. */
	[STATEMENT_HEALTH_STORE] =
		"INSERT OR REPLACE INTO health(id, checkedAt, result, httpStatus, elapsedUs, url, "
		"details) SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM services WHERE id = ?1",
	[STATEMENT_HEALTH_BY_ID] = "SELECT checkedAt, result, httpStatus, elapsedUs, url, details "
				   "FROM health WHERE id = ?1",

	[STATEMENT_LOCK_BY_NAME] = "SELECT " LOCK_COLUMNS
				   " FROM locks WHERE name IN (?1, ?2) ORDER BY name",
	[STATEMENT_LOCKS_SCAN] = "SELECT " LOCK_COLUMNS " FROM locks ORDER BY name",
	[STATEMENT_LOCKS_HELD] = "SELECT " LOCK_COLUMNS " FROM locks "
				 "WHERE " LOCK_IS_HELD " ORDER BY name",
	[STATEMENT_LOCKS_COUNT] = "SELECT count(*) FROM locks WHERE " LOCK_IS_HELD,
	[STATEMENT_LOCK_GRANT] =
		"INSERT OR REPLACE INTO locks(name, holder, acquiredAt, ttl, expiresAt, fence, "
		"uid, pid, startTicks, bootId, comm, owner) "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[STATEMENT_LOCK_RENEW] = "UPDATE locks SET ttl = ?3, expiresAt = ?4, pid = ?5, "
				 "startTicks = ?6, comm = ?7 "
				 "WHERE name = ?1 AND " LOCK_HAS_FENCE " AND " LOCK_IS_HELD,
	/* The number stays, of the last grant, and so does whose name it is. */
	[STATEMENT_LOCK_RELEASE] =
		"UPDATE locks SET holder = NULL, acquiredAt = NULL, ttl = NULL, expiresAt = NULL, "
		"uid = NULL, pid = NULL, startTicks = NULL, bootId = NULL, comm = NULL, "
		"releasedAt = ?3 WHERE name = ?1 AND " LOCK_HAS_FENCE " AND " LOCK_IS_HELD,
	/* Beyond ?1 those go of which their owner has the most that were free later. */
	[STATEMENT_LOCKS_PRUNE] =
		"DELETE FROM locks WHERE rowid IN (SELECT rowid FROM (SELECT rowid, releasedAt, "
		"row_number() OVER (PARTITION BY owner ORDER BY releasedAt DESC, rowid DESC) "
		"AS place FROM locks WHERE NOT " LOCK_IS_HELD ") ORDER BY place DESC, releasedAt "
		"LIMIT max(0, (SELECT count(*) FROM locks WHERE NOT " LOCK_IS_HELD ") - ?1))",

	[STATEMENT_LOCKS_PRUNE_OLD] = "DELETE FROM locks WHERE NOT " LOCK_IS_HELD
				      " AND ifnull(releasedAt, 0) BETWEEN 1 AND ?1 - 1",

	[STATEMENT_SESSION_INSERT] =
		"INSERT OR IGNORE INTO sessions(id, purpose, startedAt, status, agent, uid, cwd, "
		"tty, pid, startTicks, bootId) "
		"VALUES(?1, ?2, ?3, 'active', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[STATEMENT_SESSION_END] = "UPDATE sessions SET status = 'completed', endedAt = ?2 "
				  "WHERE id = ?1",
	[STATEMENT_SESSION_STALL] = "UPDATE sessions SET status = 'stalled', stalledAt = ?2 "
				    "WHERE id = ?1 AND " SESSION_STATE " = 0",
	[STATEMENT_SESSION_REVIVE] =
		"UPDATE sessions SET status = 'active', stalledAt = NULL, pid = ?2, "
		"startTicks = ?3, bootId = ?4, tty = ?5 WHERE id = ?1",
	[STATEMENT_SESSION_BY_ID] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE id = ?1",
	/* the table is bounded and small: no index is worth the range's upper end */
	[STATEMENT_SESSION_BY_PREFIX] = "SELECT " SESSION_COLUMNS " FROM sessions "
					"WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id",
	[STATEMENT_SESSION_OPEN] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE state < 2 "
				   "ORDER BY startedAt, id",
	[STATEMENT_SESSION_COMPLETED] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE state = 2 "
					"ORDER BY " SESSION_OVER_SINCE " DESC, startedAt DESC, id",
	[STATEMENT_SESSIONS_COUNT] = "SELECT " SESSION_STATE
				     " AS state, count(*) FROM sessions GROUP BY state",
	/* Of the user ?1, and of all. */
	[STATEMENT_SESSIONS_COUNT_ACTIVE] =
		"SELECT (SELECT count(*) FROM sessions WHERE uid = ?1 AND " SESSION_IS_ACTIVE
		"), count(*) FROM sessions WHERE " SESSION_IS_ACTIVE,
	/* Stalled before ?1, or with ?2 of their user that stalled later. */
	[STATEMENT_SESSIONS_GIVE_UP] =
		"UPDATE sessions SET status = 'completed', endedAt = " SESSION_OVER_SINCE
		" WHERE rowid IN (SELECT rowid FROM (SELECT rowid, " SESSION_OVER_SINCE
		" AS since, row_number() OVER (PARTITION BY uid ORDER BY " SESSION_OVER_SINCE
		" DESC, rowid DESC) AS place FROM sessions WHERE " SESSION_STATE " = 1) "
		"WHERE since < ?1 OR place > ?2)",
	/* ?1 of each user are kept whatever their age, ?2 older ones go, ?3 at most. */
	[STATEMENT_SESSIONS_PRUNE_OLD] =
		"DELETE FROM sessions WHERE rowid IN (" SESSIONS_OVER
		"WHERE place > ?1 AND since < ?2 ORDER BY place DESC LIMIT ?3)",
	/* Beyond ?1 those go that have the most newer ones of their user; ?2 at most. */
	[STATEMENT_SESSIONS_FORGET] = "DELETE FROM sessions WHERE rowid IN (" SESSIONS_OVER
				      "ORDER BY place DESC, since LIMIT max(0, min(?2, "
				      "(SELECT count(*) FROM sessions WHERE NOT " SESSION_IS_ACTIVE
				      ") - ?1)))",

	[STATEMENT_NOTE_INSERT] = "INSERT INTO notes(session, timestamp, text, uid, pid, comm) "
				  "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[STATEMENT_NOTE_OF_SESSION] = "SELECT " NOTE_COLUMNS " FROM notes "
				      "WHERE session = ?1 AND id > ?2 ORDER BY id",
	/* ?2: how many of the newest stand behind it. */
	[STATEMENT_NOTE_BEFORE_NEWEST] = "SELECT id FROM notes WHERE session = ?1 "
					 "ORDER BY id DESC LIMIT 1 OFFSET ?2",
	/* Of sessions that were pruned. */
	[STATEMENT_NOTES_PRUNE_LEFT] =
		"DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE session IS NULL "
		"OR session IN (SELECT owner FROM noteSums WHERE kind = 'session' AND owner NOT IN "
		"(SELECT id FROM sessions WHERE id IS NOT NULL)) LIMIT ?1)",
	[STATEMENT_NOTE_SUM] = "SELECT notes, bytes FROM noteSums WHERE kind = ?1 AND owner = ?2",
	[STATEMENT_NOTE_SUM_GREATEST] =
		"SELECT owner, max(bytes) FROM noteSums WHERE kind = 'user'",
	[STATEMENT_NOTE_SUMS_CLEAR] = "DELETE FROM noteSums",
	[STATEMENT_NOTE_SUMS_FILL] = SCHEMA_NOTE_SUMS_FILL,
	[STATEMENT_NOTE_FORGET_OF_SESSION] = "DELETE FROM notes WHERE id = (SELECT id FROM notes "
					     "WHERE session = ?1 ORDER BY id LIMIT 1)",
	[STATEMENT_NOTE_FORGET_OF_USER] =
		"DELETE FROM notes WHERE id = (SELECT id FROM notes INDEXED BY notesByUid "
		"WHERE uid IS ?1 ORDER BY id LIMIT 1)",

	[STATEMENT_RUNS_SCAN] =
		"SELECT id, service, port, uid, pid, startTicks, bootId, outer, since, "
		"state, hardcoded, project FROM runs ORDER BY since, rowid",
	[STATEMENT_RUN_INSERT] = "INSERT OR REPLACE INTO runs(id, service, port, uid, pid, "
				 "startTicks, bootId, outer, "
				 "since, state, hardcoded, project) "
				 "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[STATEMENT_RUN_SET_STATE] = "UPDATE runs SET state = ?2 WHERE id = ?1",
	/* With it go those that ended with an earlier boot. */
	[STATEMENT_RUN_DELETE] = "DELETE FROM runs WHERE id = ?1 OR bootId IS NOT ?2",

	[STATEMENT_LAUNCHERS_SCAN] = "SELECT " LAUNCHER_COLUMNS " FROM launchers",
	[STATEMENT_LAUNCHER_STORE] = "INSERT OR REPLACE INTO launchers(" LAUNCHER_COLUMNS ") "
				     "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	/* Of another start time is a process that has the pid now. */
	[STATEMENT_LAUNCHER_DELETE] =
		"DELETE FROM launchers WHERE serverPid = ?1 AND serverStart = ?2",
	[STATEMENT_LAUNCHERS_CLEAR] = "DELETE FROM launchers",

	[STATEMENT_HISTORY_INSERT] =
		"INSERT INTO history(port, proto, addr, netns, pid, startTicks, comm, uid, "
		"service, "
		"since, until, how, code, cookie, bootId, askedPort) "
		"SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 "
		"WHERE NOT EXISTS (SELECT 1 FROM history INDEXED BY historyOpen WHERE port = ?1 "
		"AND until IS NULL AND cookie = ?14 AND bootId = ?15)",
	[STATEMENT_HISTORY_END] =
		"UPDATE history INDEXED BY historyOpen SET until = ?4, how = ?5, code = ?6 "
		"WHERE port = ?1 AND until IS NULL AND cookie = ?2 AND bootId = ?3",
	[STATEMENT_HISTORY_END_OTHER_BOOTS] =
		"UPDATE history SET until = max(?2, ifnull(since, 0)), how = 'unknown' "
		"WHERE until IS NULL AND bootId IS NOT ?1",
	[STATEMENT_HISTORY_SCAN] = "SELECT " HISTORY_COLUMNS " FROM history WHERE " HISTORY_WALK,
	[STATEMENT_HISTORY_OF_PORT] = "SELECT " HISTORY_COLUMNS
				      " FROM history WHERE port = ?3 AND " HISTORY_WALK,
	[STATEMENT_HISTORY_OF_SERVICE] = "SELECT " HISTORY_COLUMNS
					 " FROM history WHERE service = ?3 AND " HISTORY_WALK,
	[STATEMENT_HISTORY_OPEN] = "SELECT " HISTORY_COLUMNS " FROM history INDEXED BY historyOpen "
				   "WHERE port = ?1 AND until IS NULL AND bootId = ?2",
	[STATEMENT_HISTORY_OPEN_PORTS] =
		"SELECT DISTINCT port FROM history INDEXED BY historyOpen WHERE until IS NULL",
	[STATEMENT_HISTORY_COUNT] = "SELECT count(*) FROM history",
	[STATEMENT_HISTORY_OF_USERS] =
		"SELECT uid, count(*) AS n FROM history GROUP BY uid ORDER BY n DESC",
	[STATEMENT_HISTORY_FORGET] = "DELETE FROM history WHERE id IN (SELECT id FROM history "
				     "INDEXED BY historyByUid "
				     "WHERE uid IS ?1 ORDER BY id LIMIT ?2)",
	[STATEMENT_HISTORY_PRUNE_BEFORE] = "DELETE FROM history WHERE id IN (SELECT id FROM "
					   "history WHERE until < ?1 LIMIT ?2)",
};
_Static_assert(sizeof(statement_sql) / sizeof(statement_sql[0]) == _STATEMENT_MAX,
	       "every statement has its SQL");

int statements_prepare(sqlite3 *db, sqlite3_stmt *statements[_STATEMENT_MAX])
{
	int rc = SQLITE_OK;

	for (int i = 0; rc == SQLITE_OK && i < _STATEMENT_MAX; i++)
		rc = sqlite3_prepare_v3(db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					&statements[i], NULL);
	return rc;
}

void statements_finalize(sqlite3_stmt *statements[_STATEMENT_MAX])
{
	for (int i = 0; i < _STATEMENT_MAX; i++) {
		sqlite3_finalize(statements[i]);
		statements[i] = NULL;
	}
}

bool statements_are_busy(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(db, stmt)))
		if (sqlite3_stmt_busy(stmt))
			return true;
	return false;
}

struct query query_start(struct registry *r, enum statement which)
{
	struct query q = { .registry = r, .stmt = r->statements[which], .cached = true };

	if (sqlite3_stmt_busy(q.stmt)) {
		q.stmt = NULL;
		q.cached = false;
		q.rc = sqlite3_prepare_v3(r->db, statement_sql[which], -1, 0, &q.stmt, NULL);
	}
	r->counters.statements++;
	return q;
}

void query_done(struct query *q)
{
	if (!q->cached) {
		sqlite3_finalize(q->stmt);
		return;
	}
	sqlite3_reset(q->stmt);
	sqlite3_clear_bindings(q->stmt);
}

static void keep_first(struct query *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void query_bind_text(struct query *q, int index, const char *text)
{
	keep_first(q, sqlite3_bind_text(q->stmt, index, text, -1, SQLITE_STATIC));
}

void query_bind_int(struct query *q, int index, int64_t value)
{
	keep_first(q, sqlite3_bind_int64(q->stmt, index, value));
}

void query_bind_int_or_null(struct query *q, int index, int64_t value, int64_t none)
{
	if (value == none)
		keep_first(q, sqlite3_bind_null(q->stmt, index));
	else
		query_bind_int(q, index, value);
}

/* Two readings of a clock that is mapped into the process: some 40 ns a row. */
static int timed_step(struct query *q)
{
	uint64_t began = clock_ns(CLOCK_MONOTONIC);
	int rc = sqlite3_step(q->stmt);

	q->registry->counters.busy_ns += clock_ns(CLOCK_MONOTONIC) - began;
	return rc;
}

int query_next(struct query *q)
{
	int rc = q->rc;

	if (rc == SQLITE_OK)
		rc = timed_step(q);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	q->rc = rc;
	return registry_error(q->registry, rc);
}

int query_run(struct query *q)
{
	int more;

	do {
		more = query_next(q);
	} while (more > 0);
	return more;
}

int query_run_counting(struct query *q)
{
	int error = query_run(q);

	return error < 0 ? error : sqlite3_changes(q->registry->db);
}

int query_run_on_one(struct query *q)
{
	int n = query_run_counting(q);

	return n > 0 ? 0 : n < 0 ? n : OUTCOME_NO;
}

int query_execute_with(struct registry *r, enum statement which, const int64_t *values, size_t n)
{
	_cleanup_(query_done) struct query q = query_start(r, which);

	for (size_t i = 1; i < n; i++)
		query_bind_int(&q, (int)i, values[i]);
	return query_run(&q);
}

int query_row(struct query *q)
{
	int more = query_next(q);

	return more > 0 ? 0 : more < 0 ? more : -EIO;
}

int query_number(struct query *q, int64_t *ret)
{
	int error = query_row(q);

	if (error == 0)
		*ret = query_column_int(q, 0, INT64_MIN, INT64_MAX, 0);
	return error;
}

int query_number_or(struct query *q, int64_t min, int64_t max, int64_t otherwise, int64_t *ret)
{
	int more = query_next(q);

	if (more >= 0)
		*ret = more ? query_column_int(q, 0, min, max, otherwise) : otherwise;
	return more < 0 ? more : 0;
}

int query_count(struct registry *r, enum statement which, int64_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, which);

	return query_number(&q, ret);
}

int64_t query_column_int(const struct query *q, int column, int64_t min, int64_t max,
			 int64_t otherwise)
{
	int64_t value;

	if (sqlite3_column_type(q->stmt, column) == SQLITE_NULL)
		return otherwise;
	value = sqlite3_column_int64(q->stmt, column);
	return value >= min && value <= max ? value : otherwise;
}

const char *query_column_text(const struct query *q, int column)
{
	return (const char *)sqlite3_column_text(q->stmt, column);
}

const char *query_column_utf8(const struct query *q, int column, char *buffer, size_t size)
{
	const char *text = query_column_text(q, column);

	if (!text)
		return "";
	if (text_is_utf8(text, strlen(text)))
		return text;
	return text_to_utf8(text, buffer, size);
}
