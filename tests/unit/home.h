/* SPDX-License-Identifier: MIT */
/* A registry in a directory of the test's own, and the shell of a person at the same file. */
#ifndef TESTS_UNIT_HOME_H
#define TESTS_UNIT_HOME_H

#include <sqlite3.h>

#include "registry/registry.h"
#include "testing.h"
#include "unit/directory.h"

#define HOME_PATH_SIZE 64
#define HOME_BUSY_MS   20000 /* generous: sanitizers, emulated machines */

/* The registry is the caller's; directory_remove() comes after its end. */
static inline struct registry *home_open(char ret_directory[static DIRECTORY_SIZE],
					 char ret_database[static HOME_PATH_SIZE])
{
	struct registry *registry = NULL;
	char error[256] = "";

	directory_make(ret_directory);
	snprintf(ret_database, HOME_PATH_SIZE, "%s/port-registry.db", ret_directory);
	if (registry_open(ret_database, &registry, error, sizeof(error)))
		fail_msg("registry: %s", error);
	return registry;
}

/* What somebody types into sqlite3. */
static inline void home_type_sql(const char *database, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, HOME_BUSY_MS);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#endif
