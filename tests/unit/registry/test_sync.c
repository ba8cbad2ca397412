/* SPDX-License-Identifier: MIT */
/* The two halves of a commit, and the thread that waits for the disk.  SQLite and the room share
 * this program's fdatasync(), which counts, waits or fails as a test wishes. */
#include "unit/registry/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* Of any number of commits: five times a checkpoint's frames. */
#define LOG_BOUND_BYTES (20 << 20)

static atomic_int syncs, error_of_sync;
static int disk[2] = { -1, -1 }; /* each sync waits for a byte of it, where it is open */

int fdatasync(int fd)
{
	char byte;

	syncs++;
	if (disk[0] >= 0 && read(disk[0], &byte, 1) != 1)
		abort();
	if (error_of_sync) {
		errno = error_of_sync;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void claim_unsynced(struct fixture *f, const char *id)
{
	fixture_begin_claim(f, id, 0);
	assert_int_equal(registry_commit_unsynced(f->registry), 0);
}

TEST_WITH(a_commit_is_on_the_disk_when_it_returns, struct fixture *f)
{
	int before;

	claim_unsynced(f, "first"); /* the log begins, and SQLite syncs its head */
	assert_int_equal(registry_sync(f->registry), 0);
	before = syncs;
	claim_unsynced(f, "web");
	assert_int_equal(syncs, before);
	assert_false(registry_is_synced(f->registry));
	fixture_expect(f, "SELECT count(*) FROM services WHERE id = 'web'", "1");
	assert_int_equal(registry_sync(f->registry), 0);
	assert_int_equal(syncs, before + 1);
	assert_true(registry_is_synced(f->registry));

	fixture_claim(f, "api", 5000); /* with registry_commit() */
	assert_int_equal(syncs, before + 2);
	fixture_begin(f);
	fixture_commit(f); /* of nothing */
	assert_int_equal(syncs, before + 2);
}

TEST_WITH(changes_are_refused_until_the_file_has_what_the_disk_did_not_take, struct fixture *f)
{
	claim_unsynced(f, "web");
	error_of_sync = EIO;
	assert_int_equal(registry_sync(f->registry), -EIO);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(registry_begin(f->registry), -EIO);
		assert_non_null(strstr(registry_strerror(f->registry, -EIO), f->path));
	}
	assert_int_equal(fixture_service(f, "web").service.status, SERVICE_CLAIMED);
	error_of_sync = 0;
	claim_unsynced(f, "api");
	assert_int_equal(registry_sync(f->registry), 0);
	fixture_reopen(f);
	fixture_expect(f, "SELECT count(*) FROM services", "2");
}

static void *sync_once(void *registry)
{
	return (void *)(intptr_t)registry_sync(registry);
}

TEST_WITH(everything_goes_on_while_a_thread_waits_for_the_disk, struct fixture *f)
{
	pthread_t thread;
	void *error;
	int before;

	claim_unsynced(f, "first");
	assert_int_equal(registry_sync(f->registry), 0);
	claim_unsynced(f, "web");
	assert_int_equal(pipe2(disk, O_CLOEXEC), 0);
	before = syncs;
	assert_int_equal(pthread_create(&thread, NULL, sync_once, f->registry), 0);
	while (syncs == before)
		sched_yield();
	claim_unsynced(f, "api");
	assert_int_equal(fixture_service(f, "api").service.status, SERVICE_CLAIMED);
	/* which the sync that runs may not cover */
	assert_false(registry_is_synced(f->registry));
	assert_int_equal(write(disk[1], "", 1), 1);
	assert_int_equal(pthread_join(thread, &error), 0);
	assert_null(error);
	close(disk[0]);
	close(disk[1]);
	disk[0] = -1;
}

static atomic_bool ended;

static void *sync_until_the_end(void *registry)
{
	while (!ended)
		if (registry_sync(registry))
			return registry;
	return NULL;
}

/* Some 12 frames each: many times what a checkpoint waits for. */
static void commit_many(struct fixture *f)
{
	char id[32];

	for (int i = 0; i < 1200; i++) {
		snprintf(id, sizeof(id), "many:n%d", i);
		claim_unsynced(f, id);
		assert_true(fixture_log_bytes(f) < LOG_BOUND_BYTES);
	}
}

TEST_WITH(the_log_stays_bounded_beside_a_thread_that_syncs, struct fixture *f)
{
	char detail[256];
	pthread_t thread;
	void *failed;

	ended = false;
	assert_int_equal(pthread_create(&thread, NULL, sync_until_the_end, f->registry), 0);
	commit_many(f);
	ended = true;
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(registry_check(f->registry, detail, sizeof(detail)), 0);
	fixture_reopen(f);
	fixture_expect(f, "SELECT count(*) FROM services", "1200");
}

TEST_WITH(the_log_stays_bounded_where_nobody_syncs, struct fixture *f)
{
	commit_many(f);
}

TEST_WITH(a_large_file_is_looked_through_by_the_next_sync, struct fixture *f)
{
	const char *detail;

	for (int large = 0; large < 2; large++) {
		int64_t now = FIXTURE_NOW + large * 1000;
		const char *here;

		if (large)
			fixture_insert(f, 30000,
				       "activity(action, details, timestamp) "
				       "SELECT 'CLAIM', 'Port 3100 assigned', 1 FROM n");
		claim_unsynced(f, large ? "api" : "web");
		assert_int_equal(registry_sync(f->registry), 0);
		/* two tables in one place */
		fixture_shell(f, large ? "PRAGMA writable_schema = ON; UPDATE sqlite_master SET "
					 "rootpage = (SELECT rootpage FROM sqlite_master WHERE "
					 "name = 'locks') WHERE name = 'activity'"
				       : "SELECT 1");
		here = registry_condition(f->registry, 0, now, &detail);
		assert_string_equal(here, "healthy");
		assert_int_equal(registry_is_synced(f->registry), !large);
		assert_int_equal(registry_sync(f->registry), 0);
		assert_string_equal(registry_condition(f->registry, 0, now + 1, &detail),
				    large ? "damaged" : "healthy");
	}
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
