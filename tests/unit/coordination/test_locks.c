/* SPDX-License-Identifier: MIT */
/* Locks: grants, queues, and everything that ends one. */
#include "lock_room.h"

static void type_sql(struct world *w, const char *sql)
{
	home_type_sql(w->database, sql);
}

/* --- grants --- */

TEST_WITH(a_grant_has_a_fence_and_an_end_and_is_written_down, struct world *w)
{
	struct lock wanted = wanted_by_child("shop:db");
	struct lock_answer answer;

	wanted.ttl_s = 300;
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_GRANTED);
	assert_true(answer.lock.fence > 0);
	assert_int_equal(answer.lock.expires_at, answer.lock.acquired_at + 300);
	assert_entry(w, ACTIVITY_LOCK, "a", "Locked by shop:db for 5m (fence ");
	assert_int_equal(w->pid, wanted.process.pid);
	assert_string_equal(w->comm, "node");
	assert_true(held(w));
}

TEST_WITH(the_same_process_and_holder_renew_the_same_grant, struct world *w)
{
	struct lock wanted = wanted_by_child("h");
	int64_t fence = grant(w, &wanted);
	struct lock_answer answer;

	wanted.ttl_s = 9;
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_RENEWED);
	assert_int_equal(answer.lock.fence, fence);
	assert_int_equal(answer.lock.ttl_s, 9);
}

TEST_WITH(another_holder_and_another_process_are_told_who_has_it, struct world *w)
{
	struct lock first = wanted_by_child("h"), holder = wanted_by(&first.process, "two"),
		    rival = wanted_by_child("h");
	struct lock_answer answer;

	grant(w, &first);
	assert_int_equal(acquire(w, &holder, &answer), LOCK_HELD);
	assert_string_equal(answer.lock.holder, "h");
	assert_int_equal(acquire(w, &rival, &answer), LOCK_HELD);
	assert_int_equal(answer.lock.process.pid, first.process.pid);
}

TEST_WITH(a_fence_renews_its_own_grant_and_no_other, struct world *w)
{
	struct lock wanted = wanted_by_child("h"), again = wanted_by(&wanted.process, "not said");
	struct lock stranger = wanted_by_child("h");
	struct lock_answer answer;

	again.fence = stranger.fence = grant(w, &wanted);
	assert_int_equal(acquire(w, &again, &answer), LOCK_RENEWED);
	assert_string_equal(answer.lock.holder, "h");
	assert_int_equal(acquire(w, &stranger, &answer), LOCK_GRANT_IS_OVER);
	again.fence++;
	assert_int_equal(acquire(w, &again, &answer), LOCK_GRANT_IS_OVER);
	assert_int_equal(answer.lock.fence, again.fence);
}

TEST_WITH(a_process_that_has_ended_gets_nothing, struct world *w)
{
	struct lock wanted = wanted_by_child("h"), first = wanted_by_child("h");
	struct lock_answer answer;

	child_kill(&wanted.process);
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_PROCESS_ENDED);
	assert_int_equal(answer.lock.process.pid, wanted.process.pid);
	assert_false(held(w));
	grant(w, &first);
	assert_int_equal(locks_wait(w->locks, &wanted, 60, on_told, NULL, &answer),
			 LOCK_PROCESS_ENDED);
	assert_int_equal(waiting(w), 0);
}

TEST_WITH(more_locks_than_a_user_may_hold_are_refused, struct world *w)
{
	struct lock wanted = wanted_by_child("h");
	struct lock_answer answer;

	for (uint64_t i = 0; i < quota_limit(QUOTA_LOCKS_HELD)->per_user; i++) {
		snprintf(wanted.name, sizeof(wanted.name), "lock-%d", (int)i);
		assert_int_equal(locks_acquire(w->locks, &wanted, &answer), LOCK_GRANTED);
	}
	snprintf(wanted.name, sizeof(wanted.name), "a");
	assert_int_equal(locks_acquire(w->locks, &wanted, &answer), LOCK_LIMIT);
	assert_int_equal(answer.limit, QUOTA_LOCKS_HELD);
	assert_int_equal(answer.excess, QUOTA_OVER_USER);
	world_commit(w);
	assert_false(held(w));
}

/* --- what ends a lock --- */

TEST_WITH(a_lock_ends_with_its_process, struct world *w)
{
	struct lock wanted = wanted_by_child("h");
	char words[64];

	grant(w, &wanted);
	child_kill(&wanted.process);
	world_wait(w, w->action == ACTIVITY_UNLOCK);
	assert_false(held(w));
	snprintf(words, sizeof(words), "Released: node (pid %d) has ended; was held by h for",
		 wanted.process.pid);
	assert_entry(w, ACTIVITY_UNLOCK, "a", words);
	assert_int_equal(w->pid, wanted.process.pid);
}

TEST_WITH(a_lock_ends_at_its_ttl, struct world *w)
{
	struct lock wanted = wanted_by_child("h");
	int64_t began = now_ms();

	wanted.ttl_s = 1;
	grant(w, &wanted);
	world_wait(w, w->action == ACTIVITY_UNLOCK);
	assert_true(now_ms() - began >= 1000 - TICK_MS);
	assert_false(held(w));
	assert_entry(w, ACTIVITY_UNLOCK, "a", "its time of 1s is over");
}

TEST_WITH(a_renewal_puts_the_end_off, struct world *w)
{
	struct lock wanted = wanted_by_child("h"), other = wanted;
	struct lock_answer answer;

	wanted.ttl_s = other.ttl_s = 1;
	strcpy(other.name, "b");
	grant(w, &wanted);
	grant(w, &other);
	wanted.ttl_s = 3600;
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_RENEWED);
	world_wait(w, w->action == ACTIVITY_UNLOCK);
	assert_string_equal(w->subject, "b");
	assert_true(held(w));
}

TEST_WITH(a_release_names_who_did_it_and_serves_the_next, struct world *w)
{
	struct lock first = wanted_by_child("h"), second = wanted_by_child("i"), lock;
	const struct lock_actor actor = { 7, ANNE, "pd" };
	struct owner owner = { 0 };

	grant(w, &first);
	queue(w, &second, LOCK_WAIT_FOREVER, &owner);
	assert_int_equal(locks_look(w->locks, key(), &lock), 0);
	assert_int_equal(locks_release(w->locks, &lock, "Unlocked by h", &actor), 0);
	assert_int_equal(owner.result, LOCK_GRANTED);
	world_commit(w);
	assert_entry(w, ACTIVITY_LOCK, "a", "Locked by i");
	assert_true(held(w));
}

/* --- the queue --- */

TEST_WITH(waiters_are_served_in_the_order_in_which_they_came, struct world *w)
{
	struct lock wanted[3];
	struct owner second = { 0 }, third = { 0 };
	int64_t fence;

	for (int i = 0; i < 3; i++)
		wanted[i] = wanted_by_child("h");
	fence = grant(w, &wanted[0]);
	queue(w, &wanted[1], LOCK_WAIT_FOREVER, &second);
	queue(w, &wanted[2], 3600, &third);
	assert_int_equal(waiting(w), 2);
	child_kill(&wanted[0].process);
	wait_told(w, &second, LOCK_GRANTED);
	assert_int_equal(waiting(w), 1);
	assert_int_equal(third.told, 0);
	child_kill(&wanted[1].process);
	wait_told(w, &third, LOCK_GRANTED);
	assert_true(fence < second.answer.lock.fence &&
		    second.answer.lock.fence < third.answer.lock.fence);
}

TEST_WITH(who_has_left_or_ended_is_passed_over, struct world *w)
{
	struct lock first = wanted_by_child("h"), ended = wanted_by_child("h"),
		    last = wanted_by_child("h");
	struct owner left = { 0 }, gone = { 0 }, owner = { 0 };

	grant(w, &first);
	queue(w, &last, LOCK_WAIT_FOREVER, &left);
	queue(w, &ended, LOCK_WAIT_FOREVER, &gone);
	queue(w, &last, LOCK_WAIT_FOREVER, &owner);
	locks_leave(left.ticket);
	child_kill(&ended.process);
	wait_told(w, &gone, LOCK_PROCESS_ENDED);
	assert_int_equal(gone.answer.lock.process.pid, ended.process.pid);
	child_kill(&first.process);
	wait_told(w, &owner, LOCK_GRANTED);
	assert_int_equal(left.told, 0);
}

TEST_WITH(whose_time_is_over_is_told_who_has_it, struct world *w)
{
	struct lock first = wanted_by_child("h"), second = wanted_by_child("i");
	struct owner owner = { 0 };
	int64_t began = now_ms();

	grant(w, &first);
	queue(w, &second, 1, &owner);
	wait_told(w, &owner, LOCK_HELD);
	assert_true(now_ms() - began >= 1000 - TICK_MS);
	assert_string_equal(owner.answer.lock.holder, "h");
	assert_int_equal(waiting(w), 0);
}

TEST_WITH(one_that_waits_for_what_its_process_gets_is_told_of_that_grant, struct world *w)
{
	struct lock first = wanted_by_child("h"), same = wanted_by_child("i");
	struct owner one = { 0 }, two = { 0 };

	grant(w, &first);
	queue(w, &same, LOCK_WAIT_FOREVER, &one);
	queue(w, &same, LOCK_WAIT_FOREVER, &two);
	child_kill(&first.process);
	wait_told(w, &two, LOCK_RENEWED);
	assert_int_equal(one.result, LOCK_GRANTED);
	assert_true(one.order < two.order);
	assert_int_equal(one.answer.lock.fence, two.answer.lock.fence);
}

TEST_WITH(more_waiters_than_a_user_may_have_are_refused, struct world *w)
{
	struct lock first = wanted_by_child("h"), second = wanted_by_child("i");
	uint64_t most = quota_limit(QUOTA_LOCK_WAITERS)->per_user;
	_cleanup_free_ struct owner *owners = calloc(most, sizeof(*owners));
	struct lock_answer answer;

	grant(w, &first);
	for (uint64_t i = 0; i < most; i++)
		queue(w, &second, LOCK_WAIT_FOREVER, &owners[i]);
	assert_int_equal(locks_wait(w->locks, &second, 60, on_told, NULL, &answer), LOCK_LIMIT);
	assert_int_equal(answer.limit, QUOTA_LOCK_WAITERS);
	assert_int_equal(answer.excess, QUOTA_OVER_USER);
	for (uint64_t i = 0; i < most; i++)
		locks_leave(owners[i].ticket);
	assert_int_equal(waiting(w), 0);
}

TEST_WITH(a_grant_that_nobody_took_goes_to_the_next, struct world *w)
{
	struct lock first = wanted_by_child("h"), second = wanted_by_child("i");
	struct owner owner = { 0 };
	int64_t fence = grant(w, &first);

	queue(w, &second, LOCK_WAIT_FOREVER, &owner);
	locks_take_back(w->locks, key(), fence + 1);
	assert_int_equal(owner.told, 0);
	locks_take_back(w->locks, key(), fence);
	assert_int_equal(owner.told, 1);
	assert_int_equal(owner.result, LOCK_GRANTED);
	/* its own grant is another one */
	locks_take_back(w->locks, key(), fence);
	world_commit(w);
	assert_true(held(w));
}

TEST_WITH(a_grant_that_nobody_took_is_free_and_written_down, struct world *w)
{
	struct lock wanted = wanted_by_child("h");

	locks_take_back(w->locks, key(), grant(w, &wanted));
	world_commit(w);
	assert_false(held(w));
	assert_entry(w, ACTIVITY_UNLOCK, "a", "left before the answer");
	assert_string_equal(w->comm, "portdaddyd");
}

/* --- a restart, a clock that jumps, a batch that is undone --- */

TEST_WITH(after_a_restart_a_living_process_has_its_lock_and_loses_it_with_its_end, struct world *w)
{
	struct lock wanted = wanted_by_child("h"), lock;
	int64_t fence = grant(w, &wanted);

	restart(w);
	assert_int_equal(locks_look(w->locks, key(), &lock), 0);
	assert_int_equal(lock.process.pid, wanted.process.pid);
	assert_int_equal(lock.fence, fence);
	child_kill(&wanted.process);
	world_wait(w, w->action == ACTIVITY_UNLOCK);
	assert_false(held(w));
}

TEST_WITH(after_a_restart_the_lock_of_a_dead_process_is_free, struct world *w)
{
	struct lock wanted = wanted_by_child("h");

	grant(w, &wanted);
	child_kill(&wanted.process);
	restart(w);
	assert_entry(w, ACTIVITY_UNLOCK, "a", "its process has ended");
	assert_false(held(w));
}

/* As when the machine has slept: the clock is past the end, and the timer is not. */
TEST_WITH(what_is_waited_for_is_handed_on_when_the_clock_has_gone_past_its_end, struct world *w)
{
	struct lock first = wanted_by_child("h"), second = wanted_by_child("i");
	struct owner owner = { 0 };
	int64_t fence;

	first.ttl_s = 3600;
	fence = grant(w, &first);
	queue(w, &second, LOCK_WAIT_FOREVER, &owner);
	type_sql(w, "UPDATE locks SET expiresAt = unixepoch() - 60");
	locks_clock_changed(w->locks);
	world_commit(w);
	assert_int_equal(owner.result, LOCK_GRANTED);
	assert_int_equal(owner.told, 1);
	assert_true(owner.answer.lock.fence > fence);
}

/* The row, as it was before the batch that failed, is free: who waits is served by the retry. */
TEST_WITH(a_grant_that_was_undone_is_granted_anew, struct world *w)
{
	struct lock first = wanted_by_child("h"), second = wanted_by_child("i");
	struct owner owner = { 0 };

	grant(w, &first);
	queue(w, &second, LOCK_WAIT_FOREVER, &owner);
	type_sql(w, "UPDATE locks SET holder = NULL, pid = NULL, fence = 0");
	locks_undone(w->locks);
	wait_told(w, &owner, LOCK_GRANTED);
}

/*
 * While a person's transaction is open nothing can be released.  The lock is free without anybody's
 * doing when that has ended, for it has deleted the row.
 */
TEST_WITH(what_could_not_be_released_is_handed_on_by_the_retry, struct world *w)
{
	struct lock first = wanted_by_child("h"), second = wanted_by_child("i");
	struct owner owner = { 0 };
	sqlite3 *db;

	grant(w, &first);
	queue(w, &second, LOCK_WAIT_FOREVER, &owner);
	assert_int_equal(sqlite3_open(w->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM locks", NULL, NULL, NULL),
			 0);
	child_kill(&first.process);
	world_wait(w, !quota_used(w->c.quota, ANNE, QUOTA_LOCKS_HELD));
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(owner.told, 0);
	wait_told(w, &owner, LOCK_GRANTED);
}

/* --- rows that people change while their locks are held --- */

/* Two, so that the list of grants is walked on when the first one has been freed. */
TEST_WITH(held_locks_whose_rows_are_gone_or_anothers_are_free_at_the_next_look, struct world *w)
{
	static const char *const by_hand[] = {
		"DELETE FROM locks WHERE name LIKE 'a%'",
		"DELETE FROM locks",
		"UPDATE locks SET name = 'c' WHERE name LIKE 'a%'",
		"UPDATE locks SET holder = NULL, fence = 77",
		"UPDATE locks SET fence = fence + 1000, pid = 1, startTicks = 1",
	};
	struct lock wanted = wanted_by_child("h"), other = wanted;

	strcpy(other.name, "b");
	for (size_t i = 0; i < ARRAY_SIZE(by_hand); i++) {
		_cleanup_free_ struct lock *all = NULL;
		size_t n;

		grant(w, &wanted);
		grant(w, &other);
		type_sql(w, by_hand[i]);
		assert_int_equal(locks_look_all(w->locks, true, &all, &n), 0);
		world_commit(w);
		for (size_t l = 0; l < n; l++)
			if (lock_has_key(&all[l], key()))
				fail_msg("still held after %s", by_hand[i]);
		type_sql(w, "DELETE FROM locks");
		/* the grants of the deleted rows go as well */
		free(TAKE_PTR(all));
		assert_int_equal(locks_look_all(w->locks, true, &all, &n), 0);
		assert_int_equal(n, 0);
		assert_int_equal(quota_used_by_all(w->c.quota, QUOTA_LOCKS_HELD), 0);
	}
}

TEST_WITH(one_that_waits_for_a_lock_whose_row_is_gone_gets_it, struct world *w)
{
	struct lock first = wanted_by_child("h"), other = first, second = wanted_by_child("i");
	struct owner owner = { 0 };
	_cleanup_free_ struct lock *all = NULL;
	size_t n;

	strcpy(other.name, "b");
	grant(w, &first);
	grant(w, &other);
	queue(w, &second, LOCK_WAIT_FOREVER, &owner);
	type_sql(w, "DELETE FROM locks WHERE name LIKE 'a%'");
	assert_int_equal(locks_look_all(w->locks, false, &all, &n), 0);
	world_commit(w);
	assert_int_equal(owner.result, LOCK_GRANTED);
	assert_int_equal(owner.told, 1);
}

EACH_TEST_MAIN(open_locks, close_locks)
