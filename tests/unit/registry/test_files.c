/* SPDX-License-Identifier: MIT */
/* The database's files seen from outside: who may read them, and whether they are still there. */
#include "unit/registry/fixture.h"

static const char *const suffixes[] = { "", "-wal", "-shm" };

static void path_of(const struct fixture *f, const char *suffix, char ret[256])
{
	snprintf(ret, 256, "%s%s", f->path, suffix);
}

static mode_t mode_of(const struct fixture *f, const char *suffix)
{
	char path[256];
	struct stat st;

	path_of(f, suffix, path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* A batch with a claim in it; what its commit returns. */
static int claim_one(struct fixture *f, const char *id)
{
	fixture_begin_claim(f, id, 0);
	return registry_commit(f->registry);
}

static void expect_words(struct fixture *f, int error, const char *path)
{
	const char *words = registry_strerror(f->registry, error);

	if (!strstr(words, path) || !strstr(words, "pd daemon stop"))
		fail_msg("\"%s\" does not say what to do with %s", words, path);
}

TEST_WITH(commit_is_refused_when_a_file_is_gone_and_made_when_it_is_back, struct fixture *f)
{
	char path[256], aside[256];

	path_of(f, ".aside", aside);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		path_of(f, suffixes[i], path);
		assert_int_equal(registry_files_check(f->registry), 0);
		assert_int_equal(rename(path, aside), 0);
		assert_int_equal(registry_files_check(f->registry), -ESTALE);
		assert_int_equal(claim_one(f, "app:lost"), -ESTALE);
		expect_words(f, -ESTALE, path);
		fixture_expect_none(f, "app:lost");
		assert_int_equal(rename(aside, path), 0);
		assert_int_equal(claim_one(f, "app:kept"), 0);
		fixture_service(f, "app:kept");
	}
}

TEST_WITH(commit_is_refused_when_another_file_lies_at_the_path, struct fixture *f)
{
	char path[256], other[256];
	int fd;

	path_of(f, ".other", other);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		path_of(f, suffixes[i], path);
		fd = open(other, O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		close(fd);
		/* one for the other: the open one is at the other's path, and comes back */
		assert_int_equal(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE), 0);
		assert_int_equal(claim_one(f, "app:lost"), -ESTALE);
		expect_words(f, -ESTALE, path);
		assert_int_equal(rename(other, path), 0);
		assert_int_equal(claim_one(f, "app:kept"), 0);
	}
}

TEST_WITH(error_of_the_database_is_told_apart_from_the_systems, struct fixture *f)
{
	assert_false(registry_failed_with(f->registry, 0));
	assert_false(registry_failed_with(f->registry, -ESTALE));
	assert_string_equal(registry_strerror(f->registry, -ESRCH), strerror(ESRCH));
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(claim_one(f, "app:lost"), -ESTALE);
	assert_true(registry_failed_with(f->registry, -ESTALE));
	assert_false(registry_failed_with(f->registry, -ESRCH));
}

TEST_WITH(files_that_others_may_read_are_made_private_at_open, struct fixture *f)
{
	char path[256];

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
			assert_int_equal(mode_of(f, suffixes[i]), 0600);
		fixture_close(f);
		path_of(f, "", path);
		assert_int_equal(chmod(path, 0644), 0);
		fixture_open(f);
	}
}

TEST_WITH(file_that_is_refused_keeps_its_mode, struct fixture *f)
{
	int fd;

	fixture_close(f);
	fd = open(f->path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "no database, surely", 19), 19);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	fixture_open_fails(f);
	assert_int_equal(mode_of(f, ""), 0644);
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
