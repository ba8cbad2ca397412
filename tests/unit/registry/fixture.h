/* SPDX-License-Identifier: MIT */
/* A registry in a directory of its own, and the shell of a person who looks into the same file. */
#ifndef TESTS_REGISTRY_FIXTURE_H
#define TESTS_REGISTRY_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/registry.h"
#include "testing.h"
#include "unit/directory.h"

#define FIXTURE_NOW 1700000000

struct fixture {
	char directory[DIRECTORY_SIZE];
	char path[128];
	struct registry *registry;
	char error[512]; /* of the last fixture_open_fails() */
};

static inline void fixture_open(struct fixture *f)
{
	int error = registry_open(f->path, &f->registry, f->error, sizeof(f->error));

	if (error < 0)
		fail_msg("registry_open: %d (%s)", error, f->error);
}

static inline int fixture_open_fails(struct fixture *f)
{
	struct registry *r = NULL;
	int error = registry_open(f->path, &r, f->error, sizeof(f->error));

	assert_null(r);
	assert_true(error < 0);
	assert_true(f->error[0] != '\0');
	return error;
}

static inline void fixture_close(struct fixture *f)
{
	registry_close(f->registry);
	f->registry = NULL;
}

static inline void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

/* A directory and a path in it, nothing opened yet. */
static inline int fixture_setup_empty(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	directory_make(f->directory);
	snprintf(f->path, sizeof(f->path), "%s/port-registry.db", f->directory);
	*state = f;
	return 0;
}

static inline int fixture_setup(void **state)
{
	if (fixture_setup_empty(state) < 0)
		return -1;
	fixture_open(*state);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	registry_close(f->registry);
	directory_remove(f->directory);
	free(f);
	return 0;
}

static inline void fixture_begin(struct fixture *f)
{
	assert_int_equal(registry_begin(f->registry), 0);
}

static inline void fixture_commit(struct fixture *f)
{
	assert_int_equal(registry_commit(f->registry), 0);
}

/* A call in a batch of its own, which returns what is expected. */
#define assert_in_batch(f, call, expected)        \
	do {                                      \
		fixture_begin(f);                 \
		assert_int_equal(call, expected); \
		fixture_commit(f);                \
	} while (0)

/* The file beside the database that has what was committed last; its size. */
static inline off_t fixture_log_bytes(const struct fixture *f)
{
	char path[sizeof(f->path) + sizeof("-wal")];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", f->path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* A shell that a person has open after having typed this into it; to be closed by the caller. */
static inline sqlite3 *fixture_shell_open(const struct fixture *f, const char *sql)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	return db;
}

/* What a person types into sqlite3, with the file opened for it alone. */
static inline void fixture_shell(const struct fixture *f, const char *sql)
{
	sqlite3_close(fixture_shell_open(f, sql));
}

/* The same with values put into it. */
__attribute__((format(printf, 2, 3))) static inline void fixture_shellf(const struct fixture *f,
									const char *format, ...)
{
	char sql[2048];
	va_list values;

	va_start(values, format);
	assert_in_range(vsnprintf(sql, sizeof(sql), format, values), 1, sizeof(sql) - 1);
	va_end(values);
	fixture_shell(f, sql);
}

/* Inserts as many rows, which what is said makes of the numbers n.i from 1 on. */
__attribute__((format(printf, 3, 4))) static inline void fixture_insert(const struct fixture *f,
									int rows,
									const char *format, ...)
{
	char into[1024];
	va_list values;

	va_start(values, format);
	assert_in_range(vsnprintf(into, sizeof(into), format, values), 1, sizeof(into) - 1);
	va_end(values);
	fixture_shellf(f,
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) "
		       "INSERT INTO %s",
		       rows, into);
}

/* The first column of the first row as text; "NULL" for NULL, "none" without a row. */
static inline void fixture_ask(const struct fixture *f, const char *sql, char *ret, size_t size)
{
	sqlite3 *db = fixture_shell_open(f, "");
	sqlite3_stmt *stmt = NULL;
	const char *found = "none";

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		found = (const char *)sqlite3_column_text(stmt, 0);
		found = found ? found : "NULL";
	}
	snprintf(ret, size, "%s", found);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static inline void fixture_expect(const struct fixture *f, const char *sql, const char *expected)
{
	char found[4096];

	fixture_ask(f, sql, found, sizeof(found));
	assert_string_equal(found, expected);
}

static inline int64_t fixture_number(const struct fixture *f, const char *sql)
{
	char found[32];

	fixture_ask(f, sql, found, sizeof(found));
	return strtoll(found, NULL, 10);
}

static inline struct claim_request fixture_request(const char *id)
{
	return (struct claim_request){ .id = id,
				       .uid = 1000,
				       .cwd = "/home/ann/work",
				       .sid = 77,
				       .claimer = { .pid = 78, .start_ticks = 7900 },
				       .now = FIXTURE_NOW };
}

/* Begins a batch with a claim in it, which has to succeed; its port. */
static inline uint16_t fixture_begin_claim(struct fixture *f, const char *id, uint16_t port)
{
	struct claim_request request = fixture_request(id);
	struct claim_result result;

	request.port = port;
	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), 0);
	return result.port;
}

/* The same in a batch of its own. */
static inline uint16_t fixture_claim(struct fixture *f, const char *id, uint16_t port)
{
	port = fixture_begin_claim(f, id, port);
	fixture_commit(f);
	return port;
}

static inline void fixture_release(struct fixture *f, const char *id)
{
	assert_in_batch(f, registry_release(f->registry, id, FIXTURE_NOW), 0);
}

static inline void fixture_set_status(struct fixture *f, const char *id, enum service_status status)
{
	assert_in_batch(f, registry_set_status(f->registry, id, status, true, 5), 0);
}

/* A copy of a service whose strings live as long as the copy. */
struct service_copy {
	struct service service;
	char id[IDENTITY_MAX + 1], health_path[256], cwd[256];
	bool has_health_path;
};

static inline bool service_copy_visit(const struct service *service, void *user_data)
{
	struct service_copy *copy = user_data;

	copy->service = *service;
	snprintf(copy->id, sizeof(copy->id), "%s", service->id);
	snprintf(copy->cwd, sizeof(copy->cwd), "%s", service->cwd);
	copy->has_health_path = service->health_path;
	snprintf(copy->health_path, sizeof(copy->health_path), "%s",
		 service->health_path ? service->health_path : "");
	return true;
}

/* 0, OUTCOME_NO, negative errno. */
static inline int fixture_find(struct fixture *f, const char *id, struct service_copy *ret)
{
	const struct service_filter filter = { .pattern = id, .status = -1 };
	int error;

	ret->service.id = NULL;
	error = registry_for_each_service(f->registry, &filter, service_copy_visit, ret);
	return error ? error : ret->service.id ? 0 : OUTCOME_NO;
}

static inline void fixture_expect_none(struct fixture *f, const char *id)
{
	struct service_copy copy;

	assert_int_equal(fixture_find(f, id, &copy), OUTCOME_NO);
}

static inline struct service_copy fixture_service(struct fixture *f, const char *id)
{
	struct service_copy copy;

	assert_int_equal(fixture_find(f, id, &copy), 0);
	return copy;
}

/* Seed of a random test: $PD_SEED, else a new one; printed, so that a failure can be repeated. */
static inline unsigned fixture_seed(void)
{
	const char *given = getenv("PD_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)getpid();

	print_message("# PD_SEED=%u\n", seed);
	return seed;
}

/* A test before which nothing is opened. */
#define UNOPENED_TEST(name, parameter) \
	TEST_BETWEEN(name, parameter, fixture_setup_empty, fixture_teardown)

#endif
