/* SPDX-License-Identifier: MIT */
#include "registry/schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "registry/errors.h"
#include "registry/words.h"

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
};

/* The header of every SQLite file, https://www.sqlite.org/fileformat.html section 1.3. */
enum {
	HEADER_BYTES = 100,
	HEADER_PAGE_SIZE = 16,	    /* 16 bits; 1 means 65536 */
	HEADER_CHANGE_COUNTER = 24, /* 32 bits */
	HEADER_PAGE_COUNT = 28,	    /* valid where the two counters agree */
	HEADER_USER_VERSION = 60,
	HEADER_APPLICATION_ID = 68,
	HEADER_VALID_FOR = 92,
};
static const char header_magic[16] = "SQLite format 3";

DEFINE_CLEANUP(sqlite3 *, sqlite3_close);

int schema_version(void)
{
	return ARRAY_SIZE(migrations);
}

static uint32_t read_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* True when a file of that name has content: an unfinished transaction, or a log. */
static bool leftover(const char *path, const char *suffix)
{
	_cleanup_free_ char *name = NULL;
	struct stat st;

	if (asprintf(&name, "%s%s", path, suffix) < 0)
		return true;
	return stat(name, &st) == 0 && st.st_size > 0;
}

/* "file:" + path with what a URI gives a meaning to escaped. */
static char *uri_of(const char *path)
{
	static const char options[] = "?mode=ro&immutable=1";
	char *uri = malloc(sizeof("file:") + 3 * strlen(path) + sizeof(options));
	char *out = uri;

	if (!uri)
		return NULL;
	out += sprintf(out, "file:");
	for (const char *p = path; *p; p++)
		out += strchr("%?#", *p) ? sprintf(out, "%%%02X", (unsigned char)*p)
					 : sprintf(out, "%c", *p);
	strcpy(out, options);
	return uri;
}

/*
 * Immutable: SQLite takes no lock, recovers no journal and creates no file.  The header is read
 * through SQLite's own descriptor, because closing another one of this file would drop the POSIX
 * locks of every connection in this process.
 */
static int open_immutable(const char *path, sqlite3 **ret)
{
	_cleanup_free_ char *uri = uri_of(path);
	_cleanup_(sqlite3_closep) sqlite3 *db = NULL;
	int rc;

	if (!uri)
		return -ENOMEM;
	rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
			     NULL);
	if (rc != SQLITE_OK)
		return errors_of_sqlite(rc, db ? sqlite3_system_errno(db) : 0);
	*ret = TAKE_PTR(db);
	return 0;
}

static int read_header(sqlite3 *db, unsigned char header[HEADER_BYTES], int64_t *ret_size)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 size;
	int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc != SQLITE_OK || !file || !file->pMethods)
		return -EIO;
	rc = file->pMethods->xFileSize(file, &size);
	if (rc != SQLITE_OK)
		return errors_of_sqlite(rc, 0);
	memset(header, 0, HEADER_BYTES);
	rc = file->pMethods->xRead(file, header, HEADER_BYTES, 0);
	/* a short read is zero-filled: no magic in it, or a truncated file */
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
		return errors_of_sqlite(rc, 0);
	*ret_size = size;
	return 0;
}

static int refuse_newer(const char *path, int64_t version, char *ret_error, size_t size)
{
	snprintf(
		ret_error, size,
		"%s has schema version %lld, this program knows up to %d: a newer port-daddy wrote "
		"it; left as it is",
		path, (long long)version, schema_version());
	return -EPROTONOSUPPORT;
}

static int inspect_ours(const char *path, const unsigned char *header, int64_t file_bytes,
			char *ret_error, size_t size)
{
	int64_t page_size = header[HEADER_PAGE_SIZE] << 8 | header[HEADER_PAGE_SIZE + 1];
	int64_t bytes;

	if ((int32_t)read_be32(header + HEADER_USER_VERSION) > schema_version())
		return refuse_newer(path, (int32_t)read_be32(header + HEADER_USER_VERSION),
				    ret_error, size);
	/* an interrupted checkpoint leaves a short file, and in the log what it lacks */
	if (leftover(path, "-wal") || leftover(path, "-journal"))
		return SCHEMA_FILE_UNCLEAN;
	if (page_size == 1)
		page_size = 65536;
	bytes = page_size * read_be32(header + HEADER_PAGE_COUNT);
	if (read_be32(header + HEADER_CHANGE_COUNTER) == read_be32(header + HEADER_VALID_FOR) &&
	    bytes > file_bytes) {
		snprintf(ret_error, size,
			 "%s is truncated: %lld bytes of %lld; left as it is, restore or remove it",
			 path, (long long)file_bytes, (long long)bytes);
		return -EUCLEAN;
	}
	return SCHEMA_FILE_OURS;
}

/* A file without our mark: new where nothing is in it. */
static int inspect_unmarked(sqlite3 *db, const char *path, const unsigned char *header,
			    char *ret_error, size_t size)
{
	int32_t version = (int32_t)read_be32(header + HEADER_USER_VERSION);
	sqlite3_stmt *stmt = NULL;
	int error = SCHEMA_FILE_NEW;
	int rc = sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master LIMIT 1", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		snprintf(ret_error, size,
			 "%s is a database of another application (it has a table %s); left as it "
			 "is",
			 path, sqlite3_column_text(stmt, 0));
		error = -EMEDIUMTYPE;
	} else if (rc != SQLITE_DONE) {
		snprintf(ret_error, size, "%s is damaged (%s); left as it is", path,
			 sqlite3_errmsg(db));
		error = errors_of_sqlite(rc, 0);
	} else if (leftover(path, "-wal") || leftover(path, "-journal")) {
		/* ours are marked before they have a log */
		snprintf(ret_error, size, "%s is in use by another application; left as it is",
			 path);
		error = -EMEDIUMTYPE;
	} else if (version > 0) {
		error = refuse_newer(path, version, ret_error, size);
	}
	sqlite3_finalize(stmt);
	return error;
}

static int inspect_content(const char *path, char *ret_error, size_t size)
{
	_cleanup_(sqlite3_closep) sqlite3 *db = NULL;
	unsigned char header[HEADER_BYTES];
	uint32_t application_id;
	int64_t file_bytes = 0;
	int error = open_immutable(path, &db);

	if (error == 0)
		error = read_header(db, header, &file_bytes);
	if (error < 0)
		return words_of_error(path, error, "", ret_error, size);
	if (memcmp(header, header_magic, sizeof(header_magic)) != 0) {
		snprintf(ret_error, size, "%s is not a SQLite database; left as it is", path);
		return -EMEDIUMTYPE;
	}
	if (file_bytes < HEADER_BYTES) {
		snprintf(ret_error, size, "%s is truncated: %lld bytes; left as it is", path,
			 (long long)file_bytes);
		return -EUCLEAN;
	}
	application_id = read_be32(header + HEADER_APPLICATION_ID);
	if (application_id == SCHEMA_APPLICATION_ID)
		return inspect_ours(path, header, file_bytes, ret_error, size);
	if (application_id == 0)
		return inspect_unmarked(db, path, header, ret_error, size);
	snprintf(ret_error, size,
		 "%s is a database of another application (application_id 0x%08x); left as it is",
		 path, application_id);
	return -EMEDIUMTYPE;
}

int schema_inspect(const char *path, char *ret_error, size_t size)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			return SCHEMA_FILE_NEW;
		return words_of_error(path, -errno, "", ret_error, size);
	}
	/* opening a FIFO would wait for its other end */
	if (!S_ISREG(st.st_mode)) {
		snprintf(ret_error, size,
			 "%s is not a regular file: move it away, or choose another place with "
			 "PORT_DADDY_HOME",
			 path);
		return S_ISDIR(st.st_mode) ? -EISDIR : -EMEDIUMTYPE;
	}
	if (st.st_size == 0)
		return SCHEMA_FILE_NEW;
	return inspect_content(path, ret_error, size);
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
		int error = errors_of_sqlite(rc, sqlite3_system_errno(db));

		if (error == -EBUSY || error == -ENOSPC || error == -EDQUOT)
			return words_of_error(path, error, "", ret_error, size);
		snprintf(ret_error, size,
			 "cannot bring %s from schema version %d to %d: %s (left as it is; restore "
			 "or remove it)",
			 path, version, target, *detail ? detail : sqlite3_errmsg(db));
		return error;
	}
	if (version < 0 || version > schema_version())
		return refuse_newer(path, version, ret_error, size);
	return 0;
}
