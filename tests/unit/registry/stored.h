/* SPDX-License-Identifier: MIT */
/*
 * Databases of earlier schema versions, each as `.dump` shows one that was written with it: the
 * tables that it had, in their order, with its rows.  A table stands once, as the version that
 * brought it wrote it; columns that came by ALTER TABLE follow the text of their table.
 */
#ifndef TESTS_REGISTRY_STORED_H
#define TESTS_REGISTRY_STORED_H

#include "database/schema.h"
#include "unit/registry/fixture.h"

#define BEGINNING                    \
	"PRAGMA foreign_keys=OFF;\n" \
	"BEGIN TRANSACTION;\n"

#define SERVICES(added)                                       \
	"CREATE TABLE services(\n"                            \
	"  id TEXT PRIMARY KEY,\n"                            \
	"  port INTEGER,\n"                                   \
	"  createdAt INTEGER,\n"                              \
	"  updatedAt INTEGER,\n"                              \
	"  healthPath TEXT,\n"                                \
	"  status TEXT,\n"                                    \
	"  uid INTEGER,\n"                                    \
	"  cwd TEXT,\n"                                       \
	"  sid INTEGER,\n"                                    \
	"  claimerPid INTEGER,\n"                             \
	"  claimerStart INTEGER, -- clock ticks since boot\n" \
	"  bootId TEXT,\n"                                    \
	"  everActive INTEGER DEFAULT 0,\n"                   \
	"  expiresAt INTEGER DEFAULT 0, -- 0: never\n"        \
	"  rangeFirst INTEGER,\n"                             \
	"  rangeLast INTEGER\n" added ");\n"

#define SESSIONS(added)            \
	"CREATE TABLE sessions(\n" \
	"  id TEXT PRIMARY KEY,\n" \
	"  purpose TEXT,\n"        \
	"  startedAt INTEGER,\n"   \
	"  endedAt INTEGER,\n"     \
	"  status TEXT\n" added ");\n"
#define SESSIONS_V4                                                             \
	SESSIONS(", agent TEXT, uid INTEGER, cwd TEXT, tty TEXT, pid INTEGER, " \
		 "startTicks INTEGER, bootId TEXT, stalledAt INTEGER")

#define LOCKS(added)                 \
	"CREATE TABLE locks(\n"      \
	"  name TEXT PRIMARY KEY,\n" \
	"  holder TEXT,\n"           \
	"  acquiredAt INTEGER,\n"    \
	"  ttl INTEGER\n" added ");\n"
#define LOCKS_V4(added)                                                        \
	LOCKS(", expiresAt INTEGER, fence INTEGER, uid INTEGER, pid INTEGER, " \
	      "startTicks INTEGER, bootId TEXT, comm TEXT, releasedAt INTEGER" added)

#define ACTIVITY(added)               \
	"CREATE TABLE activity(\n"    \
	"  id INTEGER PRIMARY KEY,\n" \
	"  action TEXT,\n"            \
	"  service TEXT,\n"           \
	"  details TEXT,\n"           \
	"  timestamp INTEGER,\n"      \
	"  port INTEGER,\n"           \
	"  pid INTEGER,\n"            \
	"  uid INTEGER,\n"            \
	"  comm TEXT,\n"              \
	"  error INTEGER -- errno\n" added ");\n"

#define PORTS(uid, key)                                                              \
	"CREATE TABLE ports( -- every port that a service ever had; the newest row " \
	"is remembered\n"                                                            \
	"  id TEXT NOT NULL,\n"                                                      \
	"  port INTEGER NOT NULL,\n"                                                 \
	"  claimedAt INTEGER NOT NULL," uid "\n"                                     \
	"  UNIQUE(" key ")\n"                                                        \
	");\n"

#define META "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;\n"

#define INDEXES                                                                       \
	"CREATE UNIQUE INDEX servicesByPort ON services(port);\n"                     \
	"CREATE INDEX servicesByStatus ON services(status, updatedAt);\n"             \
	"CREATE INDEX servicesByExpiry ON services(expiresAt) WHERE expiresAt > 0;\n" \
	"CREATE INDEX activityByTime ON activity(timestamp);\n"                       \
	"CREATE INDEX activityByService ON activity(service) WHERE service IS NOT NULL;\n"
#define INDEX_OF_PORTS "CREATE INDEX portsByPort ON ports(port);\n"

#define ENDING(version)                         \
	"COMMIT;\n"                             \
	"PRAGMA application_id = 1346659449;\n" \
	"PRAGMA user_version = " version ";\n"

#define BOOT "'00000000-0000-4000-8000-000000000000'"

/* Each table and each row begins a line. */
/* clang-format off */
static const char stored_v1[] =
	BEGINNING
	SERVICES("")
	"INSERT INTO services VALUES('myapp:web',8075,1700000000,1700000000,'/health','claimed',"
	"1000,'/home/ann/work',77,78,7900," BOOT ",0,0,NULL,NULL);\n"
	SESSIONS("")
	LOCKS("")
	ACTIVITY("")
	"INSERT INTO activity VALUES(1,'FAIL','myapp:web','bind 0.0.0.0:3000: EADDRINUSE',"
	"1700000001,3000,81,1000,'node',98);\n"
	PORTS("", "id, port")
	"INSERT INTO ports VALUES('myapp:web',8075,1700000000);\n"
	META
	"INSERT INTO meta VALUES('lastAlive',1700000002);\n"
	INDEXES
	INDEX_OF_PORTS
	ENDING("1");

/* --- version 2: refused binds and listens are kept --- */

#define FAILURES                                                                         \
	"CREATE TABLE failures( -- refused binds and listens, explained as they were "   \
	"at that time\n"                                                                 \
	"  id INTEGER PRIMARY KEY,\n"                                                    \
	"  timestamp INTEGER,\n"                                                         \
	"  pid INTEGER,\n"                                                               \
	"  startTicks INTEGER, -- clock ticks since the boot below\n"                    \
	"  bootId TEXT,\n"                                                               \
	"  uid INTEGER,\n"                                                               \
	"  comm TEXT,\n"                                                                 \
	"  port INTEGER,\n"                                                              \
	"  error INTEGER, -- errno\n"                                                    \
	"  explanation TEXT -- JSON\n"                                                   \
	");\n"
#define INDEXES_V2                                          \
	"CREATE INDEX failuresByUid ON failures(uid);\n"    \
	"CREATE INDEX failuresByPid ON failures(pid);\n"

/* The rows of locks and sessions, which nothing wrote in that version, are a person's. */
static const char stored_v2[] =
	BEGINNING
	SERVICES("")
	"INSERT INTO services VALUES('myapp:web',8075,1700000000,1700000002,'/health','ghost',"
	"0,'/tmp',32522,7020,1147457," BOOT ",1,0,NULL,NULL);\n"
	SESSIONS("")
	"INSERT INTO sessions VALUES('session-ab3','Building checkout UI',1700000000,NULL,"
	"'active');\n"
	LOCKS("")
	"INSERT INTO locks VALUES('db-migrations','myapp:db-init',1700000000,300);\n"
	ACTIVITY("")
	"INSERT INTO activity VALUES(2,'CLAIM','myapp:web','Port 8075 assigned',1700000000,8075,"
	"7024,0,'pd',NULL);\n"
	"INSERT INTO activity VALUES(5,'FAIL','myapp:web','bind 0.0.0.0:8075: EADDRINUSE; held by "
	"python3 (7035)',1700000002,8075,7132,0,'python3',98);\n"
	PORTS("", "id, port")
	"INSERT INTO ports VALUES('myapp:web',8075,1700000000);\n"
	META
	"INSERT INTO meta VALUES('lastAlive',1700000002);\n"
	FAILURES
	"INSERT INTO failures VALUES(2,1700000002,7132,1147632," BOOT ",0,'python3',8075,98,"
	"'{\"port\":8075}');\n"
	INDEXES
	INDEX_OF_PORTS
	INDEXES_V2
	ENDING("2");

/* --- version 4: sessions and locks of processes, notes, checks of health --- */

#define NOTES                         \
	"CREATE TABLE notes(\n"       \
	"  id INTEGER PRIMARY KEY,\n" \
	"  session TEXT,\n"           \
	"  timestamp INTEGER,\n"      \
	"  text TEXT,\n"              \
	"  uid INTEGER,\n"            \
	"  pid INTEGER,\n"            \
	"  comm TEXT\n"               \
	");\n"
#define HEALTH                                                               \
	"CREATE TABLE health( -- the last check of each service\n"           \
	"  id TEXT PRIMARY KEY REFERENCES services(id) ON DELETE CASCADE,\n" \
	"  checkedAt INTEGER,\n"                                             \
	"  result TEXT,\n"                                                   \
	"  httpStatus INTEGER,\n"                                            \
	"  elapsedUs INTEGER,\n"                                             \
	"  url TEXT,\n"                                                      \
	"  details TEXT\n"                                                   \
	");\n"
#define INDEXES_V4                                                                            \
	"CREATE INDEX sessionsByStatus ON sessions(status, startedAt);\n"                     \
	"CREATE INDEX notesBySession ON notes(session);\n"                                    \
	"CREATE INDEX activityByAction ON activity(action);\n"                                \
	"CREATE INDEX activityByBoth ON activity(service, action) WHERE service IS NOT NULL;\n"

static const char stored_v4[] =
	BEGINNING
	SERVICES("")
	"INSERT INTO services VALUES('myapp:web',8075,1700000000,1700000000,NULL,'claimed',1000,"
	"'/tmp',18143,8566,213519," BOOT ",0,0,NULL,NULL);\n"
	SESSIONS_V4
	"INSERT INTO sessions VALUES('session-tth','Building checkout UI',1700000000,NULL,"
	"'active',NULL,1000,'/tmp',NULL,8566,213519," BOOT ",NULL);\n"
	LOCKS_V4("")
	"INSERT INTO locks VALUES('deploy','myapp:web',1700000000,300,1700000300,1,1000,8566,"
	"213519," BOOT ",'bash',NULL);\n"
	"INSERT INTO locks VALUES('old',NULL,NULL,NULL,NULL,2,NULL,NULL,NULL,NULL,NULL,"
	"1700000000);\n"
	ACTIVITY("")
	"INSERT INTO activity VALUES(1,'CLAIM','myapp:web','Port 8075 assigned',1700000000,8075,"
	"8639,1000,'pd',NULL);\n"
	"INSERT INTO activity VALUES(2,'LOCK','deploy','Locked by myapp:web for 5m (fence 1)',"
	"1700000000,NULL,8566,1000,'bash',NULL);\n"
	PORTS("", "id, port")
	"INSERT INTO ports VALUES('myapp:web',8075,1700000000);\n"
	META
	"INSERT INTO meta VALUES('lastAlive',1700000000);\n"
	"INSERT INTO meta VALUES('lockFence',2);\n"
	FAILURES
	NOTES
	"INSERT INTO notes VALUES(1,'session-tth',1700000000,'one',1000,8644,'pd');\n"
	"INSERT INTO notes VALUES(2,'session-tth',1700000000,'two',0,8645,'pd');\n"
	HEALTH
	INDEXES
	INDEX_OF_PORTS
	INDEXES_V2
	INDEXES_V4
	ENDING("4");

/* --- version 6: owners of locks and ports, sums of notes, the call that was refused --- */

#define NOTE_SUMS                                                    \
	"CREATE TABLE noteSums(\n"                                   \
	"  kind TEXT, -- 'user', 'session', 'all'\n"                 \
	"  owner, -- a uid, -1 where none is known; a session; ''\n" \
	"  notes INTEGER,\n"                                         \
	"  bytes INTEGER, -- with 128 for each row\n"                \
	"  PRIMARY KEY(kind, owner)\n"                               \
	") WITHOUT ROWID;\n"                                         \
	"INSERT INTO noteSums VALUES('all','',0,0);\n"
#define NOTE_IS_ADDED                                                                       \
	"  INSERT INTO noteSums(kind, owner, notes, bytes)\n"                               \
	"  SELECT kind, owner, 1, (ifnull(length(CAST(new.text AS BLOB)), 0) + 128) FROM "  \
	"(SELECT 'user' AS kind, ifnull(new.uid, -1) AS owner UNION ALL SELECT 'session', " \
	"ifnull(new.session, '') UNION ALL SELECT 'all', '') WHERE true\n"                  \
	"  ON CONFLICT(kind, owner) DO UPDATE SET notes = notes + 1, bytes = bytes + "      \
	"excluded.bytes;\n"
#define NOTE_IS_REMOVED                                                                        \
	"  UPDATE noteSums SET notes = notes - 1, bytes = bytes - "                            \
	"(ifnull(length(CAST(old.text AS BLOB)), 0) + 128) WHERE (kind, owner) IN "            \
	"(VALUES('user', ifnull(old.uid, -1)), ('session', ifnull(old.session, '')), ('all', " \
	"''));\n"                                                                              \
	"  DELETE FROM noteSums WHERE notes <= 0 AND (kind, owner) IN (VALUES('user', "        \
	"ifnull(old.uid, -1)), ('session', ifnull(old.session, '')));\n"
#define INDEXES_V6                                                                      \
	"CREATE INDEX activityByUid ON activity(uid);\n"                                \
	"CREATE INDEX sessionsActive ON sessions(uid) WHERE (ifnull(endedAt, 0) <= 0 "  \
	"AND ifnull(status, '') NOT IN ('completed', 'stalled'));\n"                    \
	"CREATE INDEX notesByUid ON notes(uid);\n"                                      \
	"CREATE TRIGGER noteAdded AFTER INSERT ON notes BEGIN\n" NOTE_IS_ADDED          \
	"END;\n"                                                                        \
	"CREATE TRIGGER noteRemoved AFTER DELETE ON notes BEGIN\n" NOTE_IS_REMOVED      \
	"END;\n"                                                                        \
	"CREATE TRIGGER noteChanged AFTER UPDATE ON notes BEGIN\n" NOTE_IS_REMOVED      \
		NOTE_IS_ADDED "END;\n"

static const char stored_v6[] =
	BEGINNING
	SERVICES("")
	"INSERT INTO services VALUES('myapp:web',8075,1700000000,1700000000,'/health','active',"
	"1000,'/tmp',18143,8566,213519," BOOT ",0,0,NULL,NULL);\n"
	SESSIONS_V4
	LOCKS_V4(", owner INTEGER")
	ACTIVITY(", call TEXT, addr TEXT")
	PORTS(" uid INTEGER,", "id, port")
	"INSERT INTO ports VALUES('myapp:web',8075,1700000000,1000);\n"
	"INSERT INTO ports VALUES('legacy',3000,1700000000,1000);\n"
	META
	FAILURES
	NOTES
	HEALTH
	NOTE_SUMS
	INDEXES
	INDEX_OF_PORTS
	INDEXES_V2
	INDEXES_V4
	INDEXES_V6
	ENDING("6");

/* --- version 11: homes, runs, launchers, ports that are remembered for each user --- */

#define RUNS                                        \
	"CREATE TABLE runs(\n"                      \
	"  id TEXT PRIMARY KEY,\n"                  \
	"  service TEXT,\n"                         \
	"  port INTEGER,\n"                         \
	"  uid INTEGER,\n"                          \
	"  pid INTEGER, -- the pd that started it\n" \
	"  startTicks INTEGER,\n"                   \
	"  bootId TEXT,\n"                          \
	"  outer TEXT, -- the run around it\n"      \
	"  since INTEGER,\n"                        \
	"  state TEXT\n"                            \
	");\n"
#define LAUNCHERS                                                 \
	"CREATE TABLE launchers(\n"                               \
	"  serverPid INTEGER PRIMARY KEY, -- that was left behind\n" \
	"  serverStart INTEGER, -- clock ticks since boot\n"      \
	"  bootId TEXT,\n"                                        \
	"  pid INTEGER,\n"                                        \
	"  startTicks INTEGER,\n"                                 \
	"  comm TEXT,\n"                                          \
	"  exitCode INTEGER, -- as waitpid() reports it\n"        \
	"  endedAt INTEGER\n"                                     \
	");\n"

static const char stored_v11[] =
	BEGINNING
	SERVICES(", home INTEGER")
	"INSERT INTO services VALUES('myapp:web',8075,1700000000,1700000000,'/health','active',"
	"1000,'/tmp',NULL,NULL,NULL,NULL,1,0,NULL,NULL,NULL);\n"
	SESSIONS_V4
	LOCKS_V4(", owner INTEGER")
	ACTIVITY(", call TEXT, addr TEXT")
	"INSERT INTO activity VALUES(1,'CLAIM','myapp:web','Port 8075 assigned',1700000000,8075,"
	"NULL,1000,NULL,NULL,NULL,NULL);\n"
	META
	FAILURES
	NOTES
	HEALTH
	NOTE_SUMS
	RUNS
	"INSERT INTO runs VALUES('run-0a1b2c3d','myapp:web',8075,1000,4711,815," BOOT ",NULL,"
	"1700000000,'ready');\n"
	PORTS("\n  uid INTEGER, -- whose service had it", "id, port, uid")
	"INSERT INTO ports VALUES('myapp:web',8075,1700000000,1000);\n"
	LAUNCHERS
	INDEXES
	INDEXES_V2
	INDEXES_V4
	INDEXES_V6
	"CREATE INDEX activityByPort ON activity(port) WHERE port IS NOT NULL;\n"
	"CREATE INDEX servicesByHome ON services(home) WHERE home IS NOT NULL;\n"
	INDEX_OF_PORTS
	ENDING("11");
/* clang-format on */

/* Opens the file with a stored database in it, and has it brought to the version of today. */
static inline void open_stored(struct fixture *f, const char *dump, int version)
{
	fixture_shell(f, dump);
	assert_int_equal(fixture_number(f, "PRAGMA user_version"), version);
	fixture_open(f);
	assert_int_equal(fixture_number(f, "PRAGMA user_version"), schema_version());
}

#endif
