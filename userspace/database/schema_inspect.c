/* SPDX-License-Identifier: MIT */
/* What lies at the path of the database, found out without changing it. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "database/schema.h"
#include "database/words.h"

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
		return words_errno_of_sqlite(rc, db ? sqlite3_system_errno(db) : 0);
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
		return words_errno_of_sqlite(rc, 0);
	memset(header, 0, HEADER_BYTES);
	rc = file->pMethods->xRead(file, header, HEADER_BYTES, 0);
	/* a short read is zero-filled: no magic in it, or a truncated file */
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
		return words_errno_of_sqlite(rc, 0);
	*ret_size = size;
	return 0;
}

static int inspect_ours(const char *path, const unsigned char *header, int64_t file_bytes,
			char *ret_error, size_t size)
{
	int64_t page_size = header[HEADER_PAGE_SIZE] << 8 | header[HEADER_PAGE_SIZE + 1];
	int64_t bytes;

	if ((int32_t)read_be32(header + HEADER_USER_VERSION) > schema_version())
		return schema_refuse_newer(path, (int32_t)read_be32(header + HEADER_USER_VERSION),
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
		error = words_errno_of_sqlite(rc, 0);
	} else if (leftover(path, "-wal") || leftover(path, "-journal")) {
		/* ours are marked before they have a log */
		snprintf(ret_error, size, "%s is in use by another application; left as it is",
			 path);
		error = -EMEDIUMTYPE;
	} else if (version > 0) {
		error = schema_refuse_newer(path, version, ret_error, size);
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

	error = error ?: read_header(db, header, &file_bytes);
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
