/* SPDX-License-Identifier: MIT */
/* Damaged files: what is taken over, what is set aside, and the backup. */
#include <glob.h>

#include "database/backup.h"
#include "unit/registry/fixture.h"

#define PAGE	  4096
#define ENTRIES	  2000 /* many pages */
#define STEPS_MAX 10000

static void write_entries(struct fixture *f)
{
	fixture_begin(f);
	for (int i = 0; i < ENTRIES; i++) {
		const struct activity entry = { .action = ACTIVITY_CLAIM,
						.service = "web",
						.details = "Port 5000 assigned to it once more",
						.timestamp = FIXTURE_NOW + i };

		assert_int_equal(registry_log(f->registry, &entry, NULL), 0);
	}
	fixture_commit(f);
}

/* The first page of a table or an index. */
static int64_t root_of(struct fixture *f, const char *tree)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_master WHERE name = '%s'", tree);
	return fixture_number(f, sql);
}

static void damage(struct fixture *f, int64_t page)
{
	char junk[PAGE];
	_cleanup_close_ int fd = open(f->path, O_WRONLY | O_CLOEXEC);

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, PAGE, (page - 1) * PAGE), PAGE);
}

static bool count_entry(const struct activity *entry, void *user_data)
{
	++*(int *)user_data;
	return true;
}

static int count_entries(struct fixture *f)
{
	struct activity_filter all = { 0 };
	int n = 0;

	assert_int_equal(registry_for_each_activity(f->registry, &all, count_entry, &n), 0);
	return n;
}

static bool is_aside(const struct fixture *f)
{
	char pattern[160];
	glob_t found = { 0 };
	bool is;

	snprintf(pattern, sizeof(pattern), "%s.damaged-*", f->path);
	is = glob(pattern, 0, NULL, &found) == 0;
	globfree(&found);
	return is;
}

TEST_WITH(a_damaged_table_is_left_behind_and_claims_are_taken_over, struct fixture *f)
{
	const char *news;

	assert_int_equal(fixture_claim(f, "web", 5000), 5000);
	write_entries(f);
	fixture_close(f);
	damage(f, root_of(f, "activity"));
	fixture_open(f);
	assert_false(registry_refuses(f->registry));
	news = registry_news(f->registry);
	assert_non_null(news);
	assert_non_null(strstr(news, "entries of the log"));
	assert_non_null(strstr(news, f->path));
	assert_null(registry_news(f->registry));
	assert_true(is_aside(f));
	fixture_expect(f, "SELECT port FROM services WHERE id = 'web'", "5000");
	assert_int_equal(fixture_claim(f, "api", 5001), 5001);
}

TEST_WITH(rows_on_both_sides_of_a_damaged_page_are_kept, struct fixture *f)
{
	int kept;

	write_entries(f);
	fixture_close(f);
	/* leaves of the table and of its indexes, which grew side by side */
	for (int64_t page = 40; page < 44; page++)
		damage(f, page);
	fixture_open(f);
	kept = count_entries(f);
	assert_in_range(kept, ENTRIES / 2, ENTRIES);
	assert_non_null(registry_news(f->registry));
	assert_true(is_aside(f));
}

TEST_WITH(a_damaged_index_loses_nothing, struct fixture *f)
{
	const char *news;

	write_entries(f);
	fixture_close(f);
	damage(f, root_of(f, "activityByTime"));
	fixture_open(f);
	news = registry_news(f->registry);
	assert_non_null(news);
	assert_non_null(strstr(news, "nothing is lost"));
	assert_int_equal(count_entries(f), ENTRIES);
	assert_true(is_aside(f));
}

TEST_WITH(a_backup_is_made_in_steps_and_gone_back_to, struct fixture *f)
{
	char backup[160], said[REGISTRY_NEWS_SIZE] = "";
	int steps = 0;

	assert_int_equal(fixture_claim(f, "web", 5000), 5000);
	write_entries(f);
	snprintf(backup, sizeof(backup), "%s/port-registry.backup.db", f->directory);
	assert_int_equal(backup_restore(f->path, said, sizeof(said)), -ENOENT);
	while (access(backup, F_OK) < 0 && steps++ < STEPS_MAX) {
		/* claims go on meanwhile; what is not committed is no part of it */
		if (steps == 3)
			assert_int_equal(fixture_claim(f, "api", 5001), 5001);
		registry_backup_step(f->registry);
	}
	assert_in_range(steps, 10, STEPS_MAX - 1);
	assert_int_equal(fixture_claim(f, "late", 5002), 5002);
	fixture_close(f);
	damage(f, root_of(f, "services"));
	fixture_open(f);
	assert_true(registry_refuses(f->registry));
	assert_non_null(strstr(registry_strerror(f->registry, -EUCLEAN), "daemon restore"));
	fixture_close(f);
	assert_int_equal(backup_restore(f->path, said, sizeof(said)), 0);
	assert_true(is_aside(f));
	fixture_open(f);
	assert_null(registry_news(f->registry));
	fixture_expect(f, "SELECT group_concat(id) FROM (SELECT id FROM services ORDER BY id)",
		       "api,web");
}

TEST_WITH(damage_that_is_met_while_it_runs_is_mended_before_the_next_batch, struct fixture *f)
{
	int64_t count;

	assert_int_equal(fixture_claim(f, "web", 5000), 5000);
	write_entries(f);
	fixture_shell(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	damage(f, root_of(f, "activityByTime"));
	fixture_shell(f, "INSERT INTO meta(key, value) VALUES('test', 1)"); /* read anew */
	assert_int_equal(registry_count_activity_since(f->registry, FIXTURE_NOW, &count), -EUCLEAN);
	fixture_begin(f);
	fixture_commit(f);
	assert_int_equal(registry_count_activity_since(f->registry, FIXTURE_NOW, &count), 0);
	assert_int_equal(count, ENTRIES);
	assert_true(is_aside(f));
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
