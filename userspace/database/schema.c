/* SPDX-License-Identifier: MIT */
#include "database/schema.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "database/words.h"

#define DETAIL_SIZE 256 /* of SQLite's words for what went wrong */

/* What the triggers of the notes do; published with them. */
#define NOTE_COUNT                                                                     \
	"  INSERT INTO noteSums(kind, owner, notes, bytes)\n"                          \
	"  SELECT kind, owner, 1, " SCHEMA_NOTE_BYTES(                                 \
		"new.") " FROM (SELECT 'user' AS kind, "                               \
			"ifnull(new.uid, -1) AS owner UNION ALL SELECT 'session', "    \
			"ifnull(new.session, '') "                                     \
			"UNION ALL SELECT 'all', '') WHERE true\n"                     \
			"  ON CONFLICT(kind, owner) DO UPDATE SET notes = notes + 1, " \
			"bytes = bytes + excluded.bytes;\n"
#define NOTE_DISCOUNT                                                                            \
	"  UPDATE noteSums SET notes = notes - 1, bytes = bytes - " SCHEMA_NOTE_BYTES(           \
		"old.") " WHERE (kind, owner) IN (VALUES('user', ifnull(old.uid, -1)), "         \
			"('session', ifnull(old.session, '')), ('all', ''));\n"                  \
			"  DELETE FROM noteSums WHERE notes <= 0 AND (kind, owner) IN "          \
			"(VALUES('user', ifnull(old.uid, -1)), ('session', ifnull(old.session, " \
			"'')));\n"

/*
 * One string for each version, in order; a published one is never changed again.
 *
 * The first four tables carry the columns that scripts and people rely on, first and declared
 * plainly: no NOT NULL and no CHECK, because people insert rows by hand.  Readers therefore take
 * nothing for granted (service_row_decode, activity_decode).
 */
static const char *const migrations[] = {
	"CREATE TABLE services(\n"
	"  id TEXT PRIMARY KEY,\n"
	"  port INTEGER,\n"
	"  createdAt INTEGER,\n"
	"  updatedAt INTEGER,\n"
	"  healthPath TEXT,\n"
	"  status TEXT,\n"
	"  uid INTEGER,\n"
	"  cwd TEXT,\n"
	"  sid INTEGER,\n"
	"  claimerPid INTEGER,\n"
	"  claimerStart INTEGER, -- clock ticks since boot\n"
	"  bootId TEXT,\n"
	"  everActive INTEGER DEFAULT 0,\n"
	"  expiresAt INTEGER DEFAULT 0, -- 0: never\n"
	"  rangeFirst INTEGER,\n"
	"  rangeLast INTEGER\n"
	");\n"
	"CREATE UNIQUE INDEX servicesByPort ON services(port);\n"
	"CREATE INDEX servicesByStatus ON services(status, updatedAt);\n"
	"CREATE INDEX servicesByExpiry ON services(expiresAt) WHERE expiresAt > 0;\n"

	"CREATE TABLE sessions(\n"
	"  id TEXT PRIMARY KEY,\n"
	"  purpose TEXT,\n"
	"  startedAt INTEGER,\n"
	"  endedAt INTEGER,\n"
	"  status TEXT\n"
	");\n"

	"CREATE TABLE locks(\n"
	"  name TEXT PRIMARY KEY,\n"
	"  holder TEXT,\n"
	"  acquiredAt INTEGER,\n"
	"  ttl INTEGER\n"
	");\n"

	"CREATE TABLE activity(\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  action TEXT,\n"
	"  service TEXT,\n"
	"  details TEXT,\n"
	"  timestamp INTEGER,\n"
	"  port INTEGER,\n"
	"  pid INTEGER,\n"
	"  uid INTEGER,\n"
	"  comm TEXT,\n"
	"  error INTEGER -- errno\n"
	");\n"
	"CREATE INDEX activityByTime ON activity(timestamp);\n"
	"CREATE INDEX activityByService ON activity(service) WHERE service IS NOT NULL;\n"

	"CREATE TABLE ports( -- every port that a service ever had; the newest row is remembered\n"
	"  id TEXT NOT NULL,\n"
	"  port INTEGER NOT NULL,\n"
	"  claimedAt INTEGER NOT NULL,\n"
	"  UNIQUE(id, port)\n"
	");\n"
	"CREATE INDEX portsByPort ON ports(port);\n"

	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;\n",

	"CREATE TABLE failures( -- refused binds and listens, explained as they were at that time\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  timestamp INTEGER,\n"
	"  pid INTEGER,\n"
	"  startTicks INTEGER, -- clock ticks since the boot below\n"
	"  bootId TEXT,\n"
	"  uid INTEGER,\n"
	"  comm TEXT,\n"
	"  port INTEGER,\n"
	"  error INTEGER, -- errno\n"
	"  explanation TEXT -- JSON\n"
	");\n"
	"CREATE INDEX failuresByUid ON failures(uid);\n"
	"CREATE INDEX failuresByPid ON failures(pid);\n",

	/* A free lock keeps its row, without a holder: people see which locks there are. */
	"ALTER TABLE locks ADD COLUMN expiresAt INTEGER; -- acquiredAt or last renewal + ttl\n"
	"ALTER TABLE locks ADD COLUMN fence INTEGER; -- of the grant; only grows, over all locks\n"
	"ALTER TABLE locks ADD COLUMN uid INTEGER;\n"
	"ALTER TABLE locks ADD COLUMN pid INTEGER; -- the process that it ends with\n"
	"ALTER TABLE locks ADD COLUMN startTicks INTEGER;\n"
	"ALTER TABLE locks ADD COLUMN bootId TEXT;\n"
	"ALTER TABLE locks ADD COLUMN comm TEXT;\n"
	"ALTER TABLE locks ADD COLUMN releasedAt INTEGER; -- when it last became free\n"

	"ALTER TABLE sessions ADD COLUMN agent TEXT; -- a name for who works in it\n"
	"ALTER TABLE sessions ADD COLUMN uid INTEGER;\n"
	"ALTER TABLE sessions ADD COLUMN cwd TEXT; -- top of the worktree, or the directory\n"
	"ALTER TABLE sessions ADD COLUMN tty TEXT;\n"
	"ALTER TABLE sessions ADD COLUMN pid INTEGER; -- whose end makes it stalled\n"
	"ALTER TABLE sessions ADD COLUMN startTicks INTEGER;\n"
	"ALTER TABLE sessions ADD COLUMN bootId TEXT;\n"
	"ALTER TABLE sessions ADD COLUMN stalledAt INTEGER;\n"
	"CREATE INDEX sessionsByStatus ON sessions(status, startedAt);\n"

	"CREATE TABLE notes(\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  session TEXT,\n"
	"  timestamp INTEGER,\n"
	"  text TEXT,\n"
	"  uid INTEGER,\n"
	"  pid INTEGER,\n"
	"  comm TEXT\n"
	");\n"
	"CREATE INDEX notesBySession ON notes(session);\n"

	"CREATE TABLE health( -- the last check of each service\n"
	"  id TEXT PRIMARY KEY REFERENCES services(id) ON DELETE CASCADE,\n"
	"  checkedAt INTEGER,\n"
	"  result TEXT,\n"
	"  httpStatus INTEGER,\n"
	"  elapsedUs INTEGER,\n"
	"  url TEXT,\n"
	"  details TEXT\n"
	");\n",

	/* Each way to filter the activity walks down an index that ends in the id. */
	("CREATE INDEX activityByAction ON activity(action);\n"
	 "CREATE INDEX activityByBoth ON activity(service, action) WHERE service IS NOT NULL;\n"),

	/*
	 * The names of locks belong to users.  One that exists is its holder's; a free one, of
	 * which nobody knows any more whose it was, is the owner's of the file.
	 *
	 * What is kept of each user is bounded: the activity and the notes of one are found by an
	 * index that ends in the id, and what notes take is summed up as they come and go.
	 */
	("CREATE INDEX activityByUid ON activity(uid);\n"
	 "ALTER TABLE ports ADD COLUMN uid INTEGER; -- whose service had it\n"
	 "CREATE INDEX sessionsActive ON sessions(uid) WHERE " SCHEMA_SESSION_IS_ACTIVE ";\n"
	 "ALTER TABLE locks ADD COLUMN owner INTEGER; -- whose name it is; -1: the machine's\n"
	 "UPDATE locks SET owner = uid;\n"
	 "CREATE INDEX notesByUid ON notes(uid);\n"
	 "CREATE TABLE noteSums(\n"
	 "  kind TEXT, -- 'user', 'session', 'all'\n"
	 "  owner, -- a uid, -1 where none is known; a session; ''\n"
	 "  notes INTEGER,\n"
	 "  bytes INTEGER, -- with " SCHEMA_NOTE_ROW_BYTES " for each row\n"
	 "  PRIMARY KEY(kind, owner)\n"
	 ") WITHOUT ROWID;\n" SCHEMA_NOTE_SUMS_FILL ";\n"
	 "CREATE TRIGGER noteAdded AFTER INSERT ON notes BEGIN\n" NOTE_COUNT "END;\n"
	 "CREATE TRIGGER noteRemoved AFTER DELETE ON notes BEGIN\n" NOTE_DISCOUNT "END;\n"
	 "CREATE TRIGGER noteChanged AFTER UPDATE ON notes BEGIN\n" NOTE_DISCOUNT NOTE_COUNT
	 "END;\n"),

	/* Of a FAIL what was refused: its details are a sentence for people, and nothing reads it.
	 */
	("ALTER TABLE activity ADD COLUMN call TEXT; -- bind or listen\n"
	 "ALTER TABLE activity ADD COLUMN addr TEXT; -- that was asked for\n"),

	/* What happened on a port, claimed or not. */
	"CREATE INDEX activityByPort ON activity(port) WHERE port IS NOT NULL;\n",

	/* Programs that pd started, whose members a daemon that comes later finds again by this. */
	("CREATE TABLE runs(\n"
	 "  id TEXT PRIMARY KEY,\n"
	 "  service TEXT,\n"
	 "  port INTEGER,\n"
	 "  uid INTEGER,\n"
	 "  pid INTEGER, -- the pd that started it\n"
	 "  startTicks INTEGER,\n"
	 "  bootId TEXT,\n"
	 "  outer TEXT, -- the run around it\n"
	 "  since INTEGER,\n"
	 "  state TEXT\n"
	 ");\n"),

	/* A claim that moved aside returns; one that is at home has NULL there. */
	("ALTER TABLE services ADD COLUMN home INTEGER; -- a port that it had to leave\n"
	 "CREATE INDEX servicesByHome ON services(home) WHERE home IS NOT NULL;\n"),

	/*
	 * Names belong to users: what one had last is not forgotten when another user has the same
	 * port by the same name.
	 */
	("ALTER TABLE ports RENAME TO portsOfAll;\n"
	 "CREATE TABLE ports( -- every port that a service ever had; the newest row is remembered\n"
	 "  id TEXT NOT NULL,\n"
	 "  port INTEGER NOT NULL,\n"
	 "  claimedAt INTEGER NOT NULL,\n"
	 "  uid INTEGER, -- whose service had it\n"
	 "  UNIQUE(id, port, uid)\n"
	 ");\n"
	 "INSERT INTO ports(rowid, id, port, claimedAt, uid)\n"
	 "  SELECT rowid, id, port, claimedAt, uid FROM portsOfAll;\n"
	 "DROP TABLE portsOfAll;\n"
	 "CREATE INDEX portsByPort ON ports(port);\n"),

	/* How the launcher of a server that was left behind has ended: the kernel says it once. */
	("CREATE TABLE launchers(\n"
	 "  serverPid INTEGER PRIMARY KEY, -- that was left behind\n"
	 "  serverStart INTEGER, -- clock ticks since boot\n"
	 "  bootId TEXT,\n"
	 "  pid INTEGER,\n"
	 "  startTicks INTEGER,\n"
	 "  comm TEXT,\n"
	 "  exitCode INTEGER, -- as waitpid() reports it\n"
	 "  endedAt INTEGER\n"
	 ");\n"),

	/* Ports that stand in the sources of a run's program. */
	("ALTER TABLE runs ADD COLUMN hardcoded TEXT; -- 3000:5742 4000:6001\n"
	 "ALTER TABLE runs ADD COLUMN project INTEGER; -- whose runs reach each other by them\n"),

	/* Who had a port, claimed or not: one row for each socket that served. */
	("CREATE TABLE history(\n"
	 "  id INTEGER PRIMARY KEY,\n"
	 "  port INTEGER,\n"
	 "  proto TEXT,\n"
	 "  addr TEXT,\n"
	 "  netns INTEGER,\n"
	 "  pid INTEGER, -- that bound it\n"
	 "  startTicks INTEGER, -- clock ticks since boot\n"
	 "  comm TEXT,\n"
	 "  uid INTEGER,\n"
	 "  service TEXT, -- that owned the port\n"
	 "  since INTEGER,\n"
	 "  until INTEGER, -- NULL: it has it, or nobody saw its end\n"
	 "  how TEXT, -- closed, exit, signal, unknown\n"
	 "  code INTEGER, -- exit code or signal\n"
	 "  cookie INTEGER, -- of the socket\n"
	 "  bootId TEXT\n"
	 ");\n"
	 "CREATE INDEX historyByPort ON history(port);\n"
	 "CREATE INDEX historyByService ON history(service) WHERE service IS NOT NULL;\n"
	 "CREATE INDEX historyByUid ON history(uid);\n"
	 "CREATE INDEX historyByEnd ON history(until) WHERE until IS NOT NULL;\n"
	 "CREATE INDEX historyOpen ON history(port) WHERE until IS NULL;\n"),

	/* Claims whose port the kernel refuses to everybody but their runs. */
	("ALTER TABLE services ADD COLUMN protected INTEGER;\n"
	 "CREATE INDEX servicesProtected ON services(protected) WHERE protected IS NOT NULL;\n"),

	"ALTER TABLE history ADD COLUMN askedPort INTEGER; -- by its program, where another\n",

	/* A row is found by its socket: a thousand sockets may share one port. */
	("DROP INDEX historyOpen;\n"
	 "CREATE INDEX historyOpen ON history(port, cookie) WHERE until IS NULL;\n"),
};

int schema_version(void)
{
	return ARRAY_SIZE(migrations);
}

int schema_refuse_newer(const char *path, int64_t version, char *ret_error, size_t size)
{
	snprintf(
		ret_error, size,
		"%s has schema version %lld, this program knows up to %d: a newer port-daddy wrote "
		"it; left as it is",
		path, (long long)version, schema_version());
	return -EPROTONOSUPPORT;
}

int schema_read_version(sqlite3 *db, int *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/*
 * The step from `version` to the next, with its number, in one transaction.  SQLite's own words for
 * what went wrong are copied out before the rollback, which has none.
 */
static int migrate_step(sqlite3 *db, int version, char *ret_detail, size_t size)
{
	char numbers[96];
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	int found;

	if (rc != SQLITE_OK) {
		snprintf(ret_detail, size, "%s", sqlite3_errmsg(db));
		return rc;
	}
	snprintf(numbers, sizeof(numbers), "PRAGMA user_version = %d; PRAGMA application_id = %d",
		 version + 1, SCHEMA_APPLICATION_ID);
	rc = schema_read_version(db, &found);
	/* somebody else may have taken this step while we waited for the lock */
	if (rc == SQLITE_OK && found == version)
		rc = sqlite3_exec(db, migrations[version], NULL, NULL, NULL);
	if (rc == SQLITE_OK && found == version)
		rc = sqlite3_exec(db, numbers, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		snprintf(ret_detail, size, "%s", sqlite3_errmsg(db));
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int schema_migrate(sqlite3 *db, const char *path, char *ret_error, size_t size)
{
	return schema_migrate_to(db, path, schema_version(), ret_error, size);
}

int schema_migrate_to(sqlite3 *db, const char *path, int target, char *ret_error, size_t size)
{
	char detail[DETAIL_SIZE] = "";
	int version = 0;
	int rc = schema_read_version(db, &version);

	if (rc == SQLITE_OK && version == 0)
		rc = sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	while (rc == SQLITE_OK && version >= 0 && version < target) {
		rc = migrate_step(db, version, detail, sizeof(detail));
		if (rc == SQLITE_OK)
			rc = schema_read_version(db, &version);
	}
	if (rc != SQLITE_OK) {
		int error = words_errno_of_sqlite(rc, sqlite3_system_errno(db));

		if (error == -EBUSY || error == -ENOSPC || error == -EDQUOT)
			return words_of_error(path, error, "", ret_error, size);
		snprintf(ret_error, size,
			 "cannot bring %s from schema version %d to %d: %s (left as it is; restore "
			 "or remove it)",
			 path, version, target, *detail ? detail : sqlite3_errmsg(db));
		return error;
	}
	if (version < 0 || version > schema_version())
		return schema_refuse_newer(path, version, ret_error, size);
	return 0;
}
