/* SPDX-License-Identifier: MIT */
#include "unit/registry/fixture.h"

#include <sys/wait.h>

#include "database/schema.h"
#include "unit/registry/stored.h"

/* --- what a refused file must keep --- */

struct content {
	char *bytes;
	size_t size;
};

static struct content read_content(const char *path)
{
	struct content c = { 0 };
	struct stat st;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fstat(fd, &st), 0);
	c.size = (size_t)st.st_size;
	c.bytes = malloc(c.size + 1);
	assert_non_null(c.bytes);
	assert_int_equal(read(fd, c.bytes, c.size), (ssize_t)c.size);
	return c;
}

static void assert_unchanged(const char *path, struct content *before)
{
	struct content after = read_content(path);

	assert_int_equal(after.size, before->size);
	assert_memory_equal(after.bytes, before->bytes, before->size);
	free(after.bytes);
	free(before->bytes);
}

static bool exists(const struct fixture *f, const char *suffix)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", f->path, suffix);
	return access(path, F_OK) == 0;
}

static void expect_refusal(struct fixture *f, int error, const char *says)
{
	struct content before = read_content(f->path);

	assert_int_equal(fixture_open_fails(f), error);
	if (!strstr(f->error, says) || !strstr(f->error, f->path))
		fail_msg("'%s' does not speak of '%s' and '%s'", f->error, f->path, says);
	assert_unchanged(f->path, &before);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
}

/* --- the schema --- */

TEST_WITH(promised_columns_come_first_and_are_plain, struct fixture *f)
{
	static const struct {
		const char *table, *columns;
	} promised[] = {
		{ "services", "id TEXT 1,port INTEGER 0,createdAt INTEGER 0,updatedAt INTEGER 0,"
			      "healthPath TEXT 0,status TEXT 0" },
		{ "sessions", "id TEXT 1,purpose TEXT 0,startedAt INTEGER 0,endedAt INTEGER 0,"
			      "status TEXT 0" },
		{ "locks", "name TEXT 1,holder TEXT 0,acquiredAt INTEGER 0,ttl INTEGER 0" },
		{ "activity", "id INTEGER 1,action TEXT 0,service TEXT 0,details TEXT 0,"
			      "timestamp INTEGER 0" },
	};
	char sql[256], found[1024];

	for (size_t i = 0; i < ARRAY_SIZE(promised); i++) {
		snprintf(sql, sizeof(sql),
			 "SELECT group_concat(name || ' ' || type || ' ' || pk) "
			 "FROM pragma_table_info('%s') WHERE \"notnull\" = 0",
			 promised[i].table);
		fixture_ask(f, sql, found, sizeof(found));
		assert_memory_equal(found, promised[i].columns, strlen(promised[i].columns));
	}
}

TEST_WITH(file_says_whose_and_of_which_version_it_is, struct fixture *f)
{
	assert_int_equal(fixture_number(f, "PRAGMA user_version"), schema_version());
	assert_int_equal(fixture_number(f, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
	fixture_expect(f, "PRAGMA journal_mode", "wal");
}

TEST_WITH(file_is_private, struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

TEST_WITH(opening_twice_changes_nothing, struct fixture *f)
{
	struct content before;

	fixture_claim(f, "web", 5000);
	fixture_close(f);
	before = read_content(f->path);
	fixture_open(f);
	fixture_close(f);
	assert_unchanged(f->path, &before);
}

TEST_WITH(closing_leaves_one_file, struct fixture *f)
{
	fixture_claim(f, "web", 5000);
	fixture_close(f);
	assert_false(exists(f, "-wal"));
	assert_false(exists(f, "-shm"));
}

UNOPENED_TEST(empty_file_is_filled, struct fixture *f)
{
	write_file(f->path, "", 0);
	fixture_open(f);
	fixture_claim(f, "web", 5000);
}

UNOPENED_TEST(database_without_tables_is_filled, struct fixture *f)
{
	fixture_shell(f, "PRAGMA journal_mode = WAL; CREATE TABLE t(x); DROP TABLE t");
	fixture_open(f);
	fixture_claim(f, "web", 5000);
}

UNOPENED_TEST(path_may_hold_what_a_uri_gives_a_meaning_to, struct fixture *f)
{
	snprintf(f->path, sizeof(f->path), "%s/a%%41?b#c d.db", f->directory);
	fixture_open(f);
	fixture_claim(f, "web", 5000);
	fixture_reopen(f);
	assert_int_equal(fixture_service(f, "web").service.port, 5000);
	fixture_close(f);
	assert_int_equal(unlink(f->path), 0);
}

UNOPENED_TEST(random_bytes_are_refused, struct fixture *f)
{
	unsigned char bytes[8192];

	srand(fixture_seed());
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)rand();
	write_file(f->path, bytes, sizeof(bytes));
	expect_refusal(f, -EMEDIUMTYPE, "not a SQLite database");
	assert_false(exists(f, "-wal"));
}

UNOPENED_TEST(short_text_is_refused, struct fixture *f)
{
	write_file(f->path, "hello", 5);
	expect_refusal(f, -EMEDIUMTYPE, "not a SQLite database");
}

UNOPENED_TEST(database_of_another_application_is_refused_by_the_name_of_its_table,
	      struct fixture *f)
{
	fixture_shell(f, "CREATE TABLE bookmarks(url TEXT); INSERT INTO bookmarks VALUES('x')");
	expect_refusal(f, -EMEDIUMTYPE, "bookmarks");
	assert_false(exists(f, "-wal"));
	assert_false(exists(f, "-shm"));
}

UNOPENED_TEST(database_with_a_table_named_like_ours_is_refused, struct fixture *f)
{
	fixture_shell(f, "CREATE TABLE services(id TEXT PRIMARY KEY, port INTEGER)");
	expect_refusal(f, -EMEDIUMTYPE, "services");
}

UNOPENED_TEST(database_with_another_application_id_is_refused_by_it, struct fixture *f)
{
	fixture_shell(f, "PRAGMA application_id = 0x0f055112");
	expect_refusal(f, -EMEDIUMTYPE, "0x0f055112");
}

UNOPENED_TEST(log_of_another_application_is_left_as_it_is, struct fixture *f)
{
	sqlite3 *other =
		fixture_shell_open(f, "PRAGMA journal_mode = WAL; CREATE TABLE bookmarks(url)");
	char log[256];
	struct content before;

	snprintf(log, sizeof(log), "%s-wal", f->path);
	before = read_content(log);
	assert_true(before.size > 0);
	expect_refusal(f, -EMEDIUMTYPE, "another application");
	assert_unchanged(log, &before);
	sqlite3_close(other);
}

TEST_WITH(newer_schema_is_refused_by_its_number, struct fixture *f)
{
	fixture_close(f);
	fixture_shell(f, "PRAGMA user_version = 9041");
	expect_refusal(f, -EPROTONOSUPPORT, "9041");
}

TEST_WITH(newer_schema_that_is_only_in_the_log_is_refused, struct fixture *f)
{
	sqlite3 *shell;

	fixture_close(f);
	shell = fixture_shell_open(f, "PRAGMA user_version = 9041");
	assert_int_equal(fixture_open_fails(f), -EPROTONOSUPPORT);
	assert_non_null(strstr(f->error, "9041"));
	sqlite3_close(shell);
}

/* It opens, knows nothing of claims, says why, and leaves the file as it is. */
static void expect_no_claims(struct fixture *f, const char *says)
{
	struct content before = read_content(f->path);
	const char *words;

	fixture_open(f);
	assert_true(registry_refuses(f->registry));
	words = registry_strerror(f->registry, -EUCLEAN);
	if (!strstr(words, says) || !strstr(words, f->path) || !strstr(words, "restore"))
		fail_msg("'%s' does not speak of '%s' and '%s'", words, f->path, says);
	fixture_close(f);
	assert_unchanged(f->path, &before);
}

TEST_WITH(truncated_file_is_left_as_it_is_and_claims_are_refused, struct fixture *f)
{
	fixture_claim(f, "web", 5000);
	fixture_close(f);
	assert_int_equal(truncate(f->path, 8192), 0);
	expect_no_claims(f, "truncated");
	assert_int_equal(truncate(f->path, 50), 0);
	expect_no_claims(f, "truncated");
}

/* A damaged page behind a log that was left: looked through before anything is written. */
TEST_WITH(damaged_claims_are_left_as_they_are_and_refused, struct fixture *f)
{
	char log[256];
	char junk[4096];
	int fd;

	fixture_close(f);
	fd = open(f->path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(junk, 0xee, sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 4096), sizeof(junk));
	close(fd);
	snprintf(log, sizeof(log), "%s-wal", f->path);
	write_file(log, junk, 100); /* no valid frame in it */
	expect_no_claims(f, "damaged");
}

TEST_WITH(damage_is_named_by_the_check, struct fixture *f)
{
	char detail[256] = "";

	assert_int_equal(registry_check(f->registry, detail, sizeof(detail)), 0);
	assert_string_equal(detail, "ok");
	fixture_shell(f, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = "
			 "(SELECT rootpage FROM sqlite_master WHERE name = 'portsByPort') "
			 "WHERE name = 'servicesByPort'; PRAGMA schema_version = 4711");
	assert_int_equal(registry_check(f->registry, detail, sizeof(detail)), 1);
	assert_string_not_equal(detail, "ok");
}

TEST_WITH(file_without_its_tables_is_refused, struct fixture *f)
{
	fixture_close(f);
	fixture_shell(f, "DROP TABLE activity");
	expect_refusal(f, -EIO, "activity");
}

UNOPENED_TEST(directory_in_its_place_is_refused, struct fixture *f)
{
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(fixture_open_fails(f), -EISDIR);
}

UNOPENED_TEST(fifo_in_its_place_is_refused_without_waiting, struct fixture *f)
{
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(fixture_open_fails(f), -EMEDIUMTYPE);
}

UNOPENED_TEST(missing_directory_is_named, struct fixture *f)
{
	snprintf(f->path, sizeof(f->path), "%s/nowhere/port-registry.db", f->directory);
	assert_int_equal(fixture_open_fails(f), -ENOENT);
	assert_non_null(strstr(f->error, "nowhere"));
}

/* Of a child that is not root, with this mode of the directory. */
static void expect_not_permitted(struct fixture *f, mode_t mode)
{
	struct registry *r = NULL;
	pid_t child;
	int status;

	assert_int_equal(chmod(f->directory, mode), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(99);
		if (registry_open(f->path, &r, f->error, sizeof(f->error)) != -EACCES)
			_exit(1);
		_exit(strstr(f->error, f->directory) ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(f->directory, 0700), 0);
}

UNOPENED_TEST(read_only_directory_is_refused_and_named, struct fixture *f)
{
	expect_not_permitted(f, 0555);
	assert_false(exists(f, ""));
}

TEST_WITH(read_only_directory_with_a_database_is_refused, struct fixture *f)
{
	struct content before;

	fixture_close(f);
	before = read_content(f->path);
	assert_int_equal(chmod(f->path, 0666), 0);
	expect_not_permitted(f, 0555);
	assert_unchanged(f->path, &before);
}

TEST_WITH(read_only_file_is_refused, struct fixture *f)
{
	fixture_close(f);
	assert_int_equal(chmod(f->path, 0444), 0);
	expect_not_permitted(f, 0777);
}

/* --- files of older versions ------------------------------------------------------------------ */

UNOPENED_TEST(database_of_version_2_keeps_its_locks_and_sessions, struct fixture *f)
{
	open_stored(f, stored_v2, 2);
	fixture_close(f);
	fixture_expect(f, "SELECT healthPath FROM services WHERE id = 'myapp:web'", "/health");
	fixture_expect(f, "SELECT holder FROM locks WHERE name = 'db-migrations'", "myapp:db-init");
	fixture_expect(f, "SELECT purpose FROM sessions", "Building checkout UI");
	fixture_expect(f, "SELECT count(*) FROM failures", "1");
	fixture_expect(f, "SELECT count(*) FROM notes", "0");
	fixture_expect(f, "SELECT count(*) FROM health", "0");
}

UNOPENED_TEST(database_of_version_4_has_owners_of_locks_and_sums_of_notes, struct fixture *f)
{
	open_stored(f, stored_v4, 4);
	fixture_close(f);
	fixture_expect(f, "SELECT notes || ' ' || bytes FROM noteSums WHERE kind = 'all'", "2 262");
	fixture_expect(f, "SELECT notes FROM noteSums WHERE kind = 'user' AND owner = 1000", "1");
	fixture_expect(f, "SELECT bytes FROM noteSums WHERE owner = 'session-tth'", "262");
	fixture_expect(f, "SELECT port || ifnull(uid, '?') FROM ports", "8075?");
	fixture_expect(f, "SELECT holder || owner FROM locks WHERE name = 'deploy'",
		       "myapp:web1000");
	fixture_expect(f, "SELECT owner FROM locks WHERE name = 'old'", "NULL");
}

UNOPENED_TEST(database_of_version_6_has_all_its_claims_at_home, struct fixture *f)
{
	open_stored(f, stored_v6, 6);
	assert_int_equal(fixture_service(f, "myapp:web").service.home, 8075);
	assert_int_equal(fixture_claim(f, "myapp:web", 0), 8075);
	assert_int_equal(fixture_claim(f, "legacy", 0), 3000);
	fixture_close(f);
	fixture_expect(f, "SELECT count(*) FROM services WHERE home IS NULL", "2");
	fixture_expect(f, "SELECT group_concat(id || port || uid) FROM ports WHERE id = 'legacy'",
		       "legacy30001000");
	fixture_expect(f, "SELECT healthPath || status FROM services WHERE port = 8075",
		       "/healthactive");
}

static bool expect_no_call(const struct activity *entry, void *user_data)
{
	unsigned *n = user_data;

	assert_string_equal(entry->call, "");
	assert_string_equal(entry->addr, "");
	++*n;
	return true;
}

/* What was refused before there were columns for it is not known, whatever the sentence says. */
UNOPENED_TEST(database_of_version_2_has_refusals_without_call_and_address, struct fixture *f)
{
	struct activity entry = { .action = ACTIVITY_FAIL,
				  .service = "",
				  .details = "listen [::1]:3000: EADDRINUSE",
				  .timestamp = 1700000009,
				  .port = 3000,
				  .error = EADDRINUSE,
				  .call = "listen",
				  .addr = "::1" };
	const struct activity_filter everything = { 0 };
	unsigned n = 0;

	open_stored(f, stored_v2, 2);
	assert_int_equal(registry_for_each_activity(f->registry, &everything, expect_no_call, &n),
			 0);
	assert_int_equal(n, 2);
	assert_in_batch(f, registry_log(f->registry, &entry, NULL), 0);
	fixture_close(f);
	fixture_expect(f, "SELECT details FROM activity WHERE id = 5",
		       "bind 0.0.0.0:8075: EADDRINUSE; held by python3 (7035)");
	fixture_expect(f, "SELECT call || ' ' || addr FROM activity WHERE id = 6", "listen ::1");
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
