/* SPDX-License-Identifier: MIT */
/* Locks as they are stored: grants, fencing numbers, free rows, and rows that people wrote. */
#include "unit/registry/fixture.h"

#include "base/quota.h"
#include "registry/locks.h"

static struct lock lock_of(const char *name, const char *holder)
{
	struct lock lock = {
		.acquired_at = FIXTURE_NOW,
		.ttl_s = 300,
		.expires_at = FIXTURE_NOW + 300,
		.owner = 1000,
		.uid = 1000,
		.process = { .pid = 78, .start_ticks = 7900 },
		.comm = "bash",
	};

	snprintf(lock.name, sizeof(lock.name), "%s", name);
	snprintf(lock.holder, sizeof(lock.holder), "%s", holder);
	return lock;
}

static int64_t granted_to(struct fixture *f, const char *name, uid_t owner, const char *holder)
{
	struct lock lock = lock_of(name, holder);

	lock.owner = owner;
	lock.uid = owner == LOCK_OF_MACHINE ? 7 : owner;
	assert_in_batch(f, registry_lock_grant(f->registry, &lock), 0);
	return lock.fence;
}

static int64_t granted(struct fixture *f, const char *name, const char *holder)
{
	return granted_to(f, name, 1000, holder);
}

static int released(struct fixture *f, const char *name, int64_t fence, int64_t now)
{
	int r;

	fixture_begin(f);
	r = registry_lock_release(f->registry, lock_key_make(name, 1000), fence, now);
	fixture_commit(f);
	return r;
}

static struct lock loaded(struct fixture *f, const char *name)
{
	struct lock lock;

	assert_int_equal(registry_lock_load(f->registry, lock_key_make(name, 1000), &lock), 0);
	return lock;
}

TEST_WITH(a_grant_reads_back_as_it_was_stored, struct fixture *f)
{
	int64_t fence = granted(f, "db-migrations", "myapp:db-init");
	struct lock lock;

	fixture_reopen(f);
	lock = loaded(f, "db-migrations");
	assert_true(lock_is_held(&lock));
	assert_string_equal(lock.holder, "myapp:db-init");
	assert_int_equal(lock.acquired_at, FIXTURE_NOW);
	assert_int_equal(lock.ttl_s, 300);
	assert_int_equal(lock.expires_at, FIXTURE_NOW + 300);
	assert_int_equal(lock.fence, fence);
	assert_int_equal(lock.uid, 1000);
	assert_int_equal(lock.process.pid, 78);
	assert_int_equal(lock.process.start_ticks, 7900);
	assert_string_equal(lock.comm, "bash");
}

TEST_WITH(a_lock_that_was_never_used_is_a_no, struct fixture *f)
{
	struct lock lock;

	assert_int_equal(registry_lock_load(f->registry, lock_key_make("never", 1000), &lock),
			 OUTCOME_NO);
}

TEST_WITH(fences_grow_over_all_locks_and_over_a_restart, struct fixture *f)
{
	int64_t last = 0;

	for (int i = 0; i < 6; i++) {
		int64_t fence = granted(f, i % 2 ? "one" : "other", "a");

		assert_true(fence > last);
		last = fence;
		if (i == 3)
			fixture_reopen(f);
	}
}

TEST_WITH(a_grant_that_is_undone_leaves_no_holder_and_no_smaller_fence, struct fixture *f)
{
	int64_t before = granted(f, "kept", "a");
	struct lock lock = lock_of("undone", "a");

	fixture_begin(f);
	assert_int_equal(registry_lock_grant(f->registry, &lock), 0);
	/* closed with the batch open: what kill -9 does to it */
	fixture_reopen(f);
	assert_int_equal(registry_lock_load(f->registry, lock_key_make("undone", 1000), &lock),
			 OUTCOME_NO);
	assert_true(granted(f, "undone", "a") > before);
}

TEST_WITH(a_fence_counter_that_a_person_spoiled_counts_on, struct fixture *f)
{
	granted(f, "a", "a");
	fixture_shell(f, "UPDATE meta SET value = 'many' WHERE key = 'lockFence'");
	assert_int_equal(granted(f, "a", "a"), 1);
	assert_int_equal(granted(f, "a", "a"), 2);
}

TEST_WITH(a_released_lock_stays_listed_without_a_holder, struct fixture *f)
{
	int64_t fence = granted(f, "payment-config", "a");
	struct lock lock;

	assert_int_equal(released(f, "payment-config", fence, FIXTURE_NOW + 9), 0);
	lock = loaded(f, "payment-config");
	assert_false(lock_is_held(&lock));
	assert_int_equal(lock.released_at, FIXTURE_NOW + 9);
	fixture_expect(f, "SELECT holder IS NULL AND pid IS NULL AND ttl IS NULL FROM locks", "1");
}

TEST_WITH(a_release_with_an_older_fence_changes_nothing, struct fixture *f)
{
	int64_t old = granted(f, "a", "first");
	struct lock lock;

	granted(f, "a", "second");
	assert_int_equal(released(f, "a", old, FIXTURE_NOW), OUTCOME_NO);
	lock = loaded(f, "a");
	assert_string_equal(lock.holder, "second");
}

TEST_WITH(a_renewal_keeps_the_fence_and_moves_the_end, struct fixture *f)
{
	int64_t fence = granted(f, "a", "first");
	struct lock lock = loaded(f, "a");

	lock.ttl_s = 60;
	lock.expires_at = FIXTURE_NOW + 1060;
	assert_in_batch(f, registry_lock_renew(f->registry, &lock), 0);
	lock = loaded(f, "a");
	assert_int_equal(lock.fence, fence);
	assert_int_equal(lock.expires_at, FIXTURE_NOW + 1060);
	assert_int_equal(lock.acquired_at, FIXTURE_NOW);
}

TEST_WITH(a_free_lock_is_not_renewed, struct fixture *f)
{
	int64_t fence = granted(f, "a", "first");
	struct lock lock = loaded(f, "a");

	released(f, "a", fence, FIXTURE_NOW);
	assert_in_batch(f, registry_lock_renew(f->registry, &lock), OUTCOME_NO);
}

TEST_WITH(the_longest_free_locks_are_forgotten_and_held_ones_never, struct fixture *f)
{
	char name[32];

	granted(f, "held", "a");
	for (int i = 0; i < (int)quota_limit(QUOTA_LOCKS_KEPT)->machine + 5; i++) {
		int64_t fence;

		snprintf(name, sizeof(name), "free%d", i);
		fence = granted(f, name, "a");
		assert_int_equal(released(f, name, fence, FIXTURE_NOW + i), 0);
	}
	fixture_expect(f, "SELECT count(*) FROM locks WHERE holder IS NULL", "256");
	fixture_expect(f, "SELECT min(releasedAt) - 1700000000 FROM locks WHERE holder IS NULL",
		       "5");
	fixture_expect(f, "SELECT holder FROM locks WHERE name = 'held'", "a");
}

TEST_WITH(what_one_batch_frees_is_forgotten_once_at_its_end, struct fixture *f)
{
	const int kept = (int)quota_limit(QUOTA_LOCKS_KEPT)->machine, freed = kept + 40;
	struct lock lock, *locks;
	char name[32];
	size_t n;

	fixture_begin(f);
	for (int i = 0; i < freed; i++) {
		snprintf(name, sizeof(name), "free%d", i);
		lock = lock_of(name, "a");
		assert_int_equal(registry_lock_grant(f->registry, &lock), 0);
		assert_int_equal(registry_lock_release(f->registry, lock_key_of(&lock), lock.fence,
						       FIXTURE_NOW + i),
				 0);
	}
	assert_int_equal(registry_locks_load(f->registry, false, &locks, &n), 0);
	assert_int_equal(n, freed);
	free(locks);
	fixture_commit(f);
	fixture_expect(f, "SELECT count(*) FROM locks", "256");
	fixture_expect(f, "SELECT min(releasedAt) - 1700000000 FROM locks", "40");
}

TEST_WITH(free_locks_are_forgotten_after_a_day, struct fixture *f)
{
	const struct lock young = { .released_at = FIXTURE_NOW - LOCKS_FREE_KEEP_S };
	const struct lock old = { .released_at = FIXTURE_NOW - LOCKS_FREE_KEEP_S - 1 };
	const struct lock held = { .holder = "a", .released_at = 1 };

	assert_false(lock_has_aged_out(&young, FIXTURE_NOW));
	assert_true(lock_has_aged_out(&old, FIXTURE_NOW));
	assert_false(lock_has_aged_out(&held, FIXTURE_NOW));
	granted(f, "held", "a");
	assert_int_equal(released(f, "old", granted(f, "old", "a"), old.released_at), 0);
	assert_int_equal(released(f, "young", granted(f, "young", "a"), young.released_at), 0);
	assert_int_equal(released(f, "now", granted(f, "now", "a"), FIXTURE_NOW), 0);
	fixture_expect(f, "SELECT group_concat(name) FROM (SELECT name FROM locks ORDER BY name)",
		       "held,now,young");
}

static void expect_holder(struct fixture *f, const char *name, uid_t owner, const char *holder)
{
	struct lock lock;

	assert_int_equal(registry_lock_load(f->registry, lock_key_make(name, owner), &lock), 0);
	assert_string_equal(lock.name, name);
	assert_int_equal(lock.owner, owner);
	assert_string_equal(lock.holder, holder);
}

TEST_WITH(a_name_is_each_users_own_and_the_machines_besides, struct fixture *f)
{
	static const uid_t owners[] = { 1000, LOCK_OF_MACHINE, 2000, 0 };
	int64_t fence = 0;
	char holder[16];

	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		int64_t next;

		snprintf(holder, sizeof(holder), "h%zu", i);
		next = granted_to(f, "deploy", owners[i], holder);
		assert_true(next > fence);
		fence = next;
	}
	fixture_reopen(f);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		snprintf(holder, sizeof(holder), "h%zu", i);
		expect_holder(f, "deploy", owners[i], holder);
	}
	fixture_expect(f,
		       "SELECT group_concat(name, ' ') FROM (SELECT name FROM locks ORDER BY name)",
		       "deploy deploy@* deploy@0 deploy@2000");
	fixture_expect(f, "SELECT owner FROM locks WHERE name = 'deploy@*'", "-1");
}

TEST_WITH(what_one_does_with_a_name_leaves_the_others_alone, struct fixture *f)
{
	int64_t first = granted_to(f, "deploy", 1000, "a");
	int64_t second = granted_to(f, "deploy", 2000, "b");
	struct lock lock;

	assert_int_equal(released(f, "deploy", second, FIXTURE_NOW), OUTCOME_NO);
	assert_int_equal(released(f, "deploy", first, FIXTURE_NOW), 0);
	expect_holder(f, "deploy", 2000, "b");
	/* it keeps the name that it has in the database */
	fixture_shell(f, "DELETE FROM locks WHERE name = 'deploy'");
	assert_int_equal(registry_lock_load(f->registry, lock_key_make("deploy", 2000), &lock), 0);
	lock.ttl_s = 77;
	assert_in_batch(f, registry_lock_renew(f->registry, &lock), 0);
	fixture_expect(f, "SELECT name || ttl FROM locks", "deploy@200077");
	granted_to(f, "deploy", 3000, "c");
	fixture_expect(f, "SELECT owner FROM locks WHERE name = 'deploy'", "3000");
	expect_holder(f, "deploy", 2000, "b");
}

TEST_WITH(who_uses_many_names_pushes_out_their_own_free_locks, struct fixture *f)
{
	const int most = (int)quota_limit(QUOTA_LOCKS_KEPT)->machine;
	char name[32];

	fixture_shell(f, "INSERT INTO locks(name, owner, releasedAt) "
			 "VALUES('precious', 2000, 1700000000 - 3600)");
	for (int i = 0; i < most + 5; i++) {
		snprintf(name, sizeof(name), "flood%d", i);
		assert_int_equal(released(f, name, granted(f, name, "a"), FIXTURE_NOW + i), 0);
	}
	fixture_expect(f, "SELECT count(*) FROM locks WHERE owner = 2000", "1");
	fixture_expect(f, "SELECT min(releasedAt) - 1700000000 FROM locks WHERE owner = 1000", "6");
}

TEST_WITH(held_locks_are_loaded_in_order_of_name, struct fixture *f)
{
	_cleanup_free_ struct lock *held = NULL;
	_cleanup_free_ struct lock *all = NULL;
	size_t n_held = 0, n_all = 0;

	granted(f, "c", "x");
	granted(f, "a", "x");
	released(f, "b", granted(f, "b", "x"), FIXTURE_NOW);
	assert_int_equal(registry_locks_load(f->registry, true, &held, &n_held), 0);
	assert_int_equal(registry_locks_load(f->registry, false, &all, &n_all), 0);
	assert_int_equal(n_held, 2);
	assert_string_equal(held[0].name, "a");
	assert_string_equal(held[1].name, "c");
	assert_int_equal(n_all, 3);
}

TEST_WITH(a_process_of_an_earlier_boot_is_unknown, struct fixture *f)
{
	struct lock lock;

	granted(f, "a", "x");
	fixture_shell(f, "UPDATE locks SET bootId = 'another boot'");
	lock = loaded(f, "a");
	assert_true(lock_is_held(&lock));
	assert_int_equal(lock.process.pid, 0);
}

TEST_WITH(rows_that_people_wrote_do_no_harm, struct fixture *f)
{
	_cleanup_free_ struct lock *all = NULL;
	size_t n = 0;

	fixture_shell(f, "INSERT INTO locks(name, holder, acquiredAt, ttl, pid, fence, uid) VALUES"
			 "('bad name', 'x', 1, 1, 1, 1, 1), (NULL, 'x', 1, 1, 1, 1, 1), "
			 "(x'ff', 'x', 1, 1, 1, 1, 1), ('-x', 'x', 1, 1, 1, 1, 1), "
			 "('odd', CAST(x'41ff42' AS TEXT), 'soon', -5, 'me', 'no', 99999999999)");
	assert_int_equal(registry_locks_load(f->registry, false, &all, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(all[0].name, "odd");
	assert_string_equal(all[0].holder, "A\xEF\xBF\xBD"
					   "B");
	assert_int_equal(all[0].acquired_at, 0);
	assert_int_equal(all[0].ttl_s, 0);
	assert_int_equal(all[0].process.pid, 0);
	assert_int_equal(all[0].owner, geteuid());
	assert_in_batch(
		f,
		registry_lock_release(f->registry, lock_key_of(&all[0]), all[0].fence, FIXTURE_NOW),
		0);
}

TEST_WITH(outside_of_a_batch_nothing_is_written, struct fixture *f)
{
	struct lock lock = lock_of("a", "x");

	assert_int_equal(registry_lock_grant(f->registry, &lock), -EINVAL);
	assert_int_equal(registry_lock_renew(f->registry, &lock), -EINVAL);
	assert_int_equal(
		registry_lock_release(f->registry, lock_key_make("a", 1000), 1, FIXTURE_NOW),
		-EINVAL);
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
