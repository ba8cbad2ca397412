/* SPDX-License-Identifier: MIT */
/* Locks: grants, queues, and everything that ends one. */
#include "lock_room.h"

#include <sqlite3.h>

static void type_sql(struct room *room, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(room->world->database, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, DEADLINE_MS);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* --- grants --- */

TEST_WITH(a_grant_has_a_fence_and_an_end_and_is_written_down, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "shop:db");
	struct lock_answer answer;

	wanted.ttl_s = 300;
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_GRANTED);
	assert_true(answer.lock.fence > 0);
	assert_int_equal(answer.lock.expires_at, answer.lock.acquired_at + 300);
	assert_entry(room->world, ACTIVITY_LOCK, "a", "Locked by shop:db for 5m (fence ");
	assert_int_equal(room->world->pid, process.pid);
	assert_string_equal(room->world->comm, "node");
	assert_true(held(room));
	child_kill(&process);
}

TEST_WITH(the_same_process_and_holder_renew_the_same_grant, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h");
	int64_t fence = grant(room, &wanted);
	struct lock_answer answer;

	wanted.ttl_s = 9;
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_RENEWED);
	assert_int_equal(answer.lock.fence, fence);
	assert_int_equal(answer.lock.ttl_s, 9);
	child_kill(&process);
}

TEST_WITH(another_holder_and_another_process_are_told_who_has_it, struct room *room)
{
	struct process_id process = child_new(), other = child_new();
	struct lock first = wanted_by(&process, "h"), holder = wanted_by(&process, "two"),
		    rival = wanted_by(&other, "h");
	struct lock_answer answer;

	grant(room, &first);
	assert_int_equal(acquire(room, &holder, &answer), LOCK_HELD);
	assert_string_equal(answer.lock.holder, "h");
	assert_int_equal(acquire(room, &rival, &answer), LOCK_HELD);
	assert_int_equal(answer.lock.process.pid, process.pid);
	child_kill(&process);
	child_kill(&other);
}

TEST_WITH(a_fence_renews_its_own_grant_and_no_other, struct room *room)
{
	struct process_id process = child_new(), other = child_new();
	struct lock wanted = wanted_by(&process, "h"), again = wanted_by(&process, "not said");
	struct lock stranger = wanted_by(&other, "h");
	struct lock_answer answer;

	again.fence = stranger.fence = grant(room, &wanted);
	assert_int_equal(acquire(room, &again, &answer), LOCK_RENEWED);
	assert_string_equal(answer.lock.holder, "h");
	assert_int_equal(acquire(room, &stranger, &answer), LOCK_GRANT_IS_OVER);
	again.fence++;
	assert_int_equal(acquire(room, &again, &answer), LOCK_GRANT_IS_OVER);
	assert_int_equal(answer.lock.fence, again.fence);
	child_kill(&process);
	child_kill(&other);
}

TEST_WITH(a_process_that_has_ended_gets_nothing, struct room *room)
{
	struct process_id dead = child_new(), alive = child_new();
	struct lock wanted = wanted_by(&dead, "h"), first = wanted_by(&alive, "h");
	struct lock_answer answer;

	child_kill(&dead);
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_PROCESS_ENDED);
	assert_int_equal(answer.lock.process.pid, dead.pid);
	assert_false(held(room));
	grant(room, &first);
	assert_int_equal(locks_wait(room->locks, &wanted, 60, on_told, NULL, &answer),
			 LOCK_PROCESS_ENDED);
	assert_int_equal(waiting(room), 0);
	child_kill(&alive);
}

TEST_WITH(more_locks_than_a_user_may_hold_are_refused, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h");
	struct lock_answer answer;

	for (uint64_t i = 0; i < quota_limit(QUOTA_LOCKS_HELD)->per_user; i++) {
		snprintf(wanted.name, sizeof(wanted.name), "lock-%d", (int)i);
		assert_int_equal(locks_acquire(room->locks, &wanted, &answer), LOCK_GRANTED);
	}
	snprintf(wanted.name, sizeof(wanted.name), "a");
	assert_int_equal(locks_acquire(room->locks, &wanted, &answer), LOCK_LIMIT);
	assert_int_equal(answer.limit, QUOTA_LOCKS_HELD);
	assert_int_equal(answer.excess, QUOTA_OVER_USER);
	world_commit(room->world);
	assert_false(held(room));
	child_kill(&process);
}

/* --- what ends a lock --- */

TEST_WITH(a_lock_ends_with_its_process, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h");
	char words[64];

	grant(room, &wanted);
	child_kill(&process);
	world_wait(room->world, room->world->action == ACTIVITY_UNLOCK);
	assert_false(held(room));
	snprintf(words, sizeof(words), "Released: node (pid %d) has ended; was held by h for",
		 process.pid);
	assert_entry(room->world, ACTIVITY_UNLOCK, "a", words);
	assert_int_equal(room->world->pid, process.pid);
}

TEST_WITH(a_lock_ends_at_its_ttl, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h");
	int64_t began = now_ms();

	wanted.ttl_s = 1;
	grant(room, &wanted);
	world_wait(room->world, room->world->action == ACTIVITY_UNLOCK);
	assert_true(now_ms() - began >= 1000 - TICK_MS);
	assert_false(held(room));
	assert_entry(room->world, ACTIVITY_UNLOCK, "a", "its time of 1s is over");
	child_kill(&process);
}

TEST_WITH(a_renewal_puts_the_end_off, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h"), other = wanted;
	struct lock_answer answer;

	wanted.ttl_s = other.ttl_s = 1;
	strcpy(other.name, "b");
	grant(room, &wanted);
	grant(room, &other);
	wanted.ttl_s = 3600;
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_RENEWED);
	world_wait(room->world, room->world->action == ACTIVITY_UNLOCK);
	assert_string_equal(room->world->subject, "b");
	assert_true(held(room));
	child_kill(&process);
}

TEST_WITH(a_release_names_who_did_it_and_serves_the_next, struct room *room)
{
	struct process_id process = child_new(), next = child_new();
	struct lock first = wanted_by(&process, "h"), second = wanted_by(&next, "i"), lock;
	const struct lock_actor actor = { 7, ANNE, "pd" };
	struct owner owner = { 0 };

	grant(room, &first);
	queue(room, &second, LOCK_WAIT_FOREVER, &owner);
	assert_int_equal(locks_look(room->locks, key(), &lock), 0);
	assert_int_equal(locks_release(room->locks, &lock, "Unlocked by h", &actor), 0);
	assert_int_equal(owner.result, LOCK_GRANTED);
	world_commit(room->world);
	assert_entry(room->world, ACTIVITY_LOCK, "a", "Locked by i");
	assert_true(held(room));
	child_kill(&process);
	child_kill(&next);
}

/* --- the queue --- */

TEST_WITH(waiters_are_served_in_the_order_in_which_they_came, struct room *room)
{
	struct process_id processes[3];
	struct lock wanted[3];
	struct owner second = { 0 }, third = { 0 };
	int64_t fence;

	for (int i = 0; i < 3; i++) {
		processes[i] = child_new();
		wanted[i] = wanted_by(&processes[i], "h");
	}
	fence = grant(room, &wanted[0]);
	queue(room, &wanted[1], LOCK_WAIT_FOREVER, &second);
	queue(room, &wanted[2], 3600, &third);
	assert_int_equal(waiting(room), 2);
	child_kill(&processes[0]);
	wait_told(room, &second);
	assert_int_equal(second.result, LOCK_GRANTED);
	assert_int_equal(waiting(room), 1);
	assert_int_equal(third.told, 0);
	child_kill(&processes[1]);
	wait_told(room, &third);
	assert_int_equal(third.result, LOCK_GRANTED);
	assert_true(fence < second.answer.lock.fence &&
		    second.answer.lock.fence < third.answer.lock.fence);
	child_kill(&processes[2]);
}

TEST_WITH(who_has_left_or_ended_is_passed_over, struct room *room)
{
	struct process_id process = child_new(), dead = child_new(), next = child_new();
	struct lock first = wanted_by(&process, "h"), ended = wanted_by(&dead, "h"),
		    last = wanted_by(&next, "h");
	struct owner left = { 0 }, gone = { 0 }, owner = { 0 };

	grant(room, &first);
	queue(room, &last, LOCK_WAIT_FOREVER, &left);
	queue(room, &ended, LOCK_WAIT_FOREVER, &gone);
	queue(room, &last, LOCK_WAIT_FOREVER, &owner);
	locks_leave(left.ticket);
	child_kill(&dead);
	wait_told(room, &gone);
	assert_int_equal(gone.result, LOCK_PROCESS_ENDED);
	assert_int_equal(gone.answer.lock.process.pid, dead.pid);
	child_kill(&process);
	wait_told(room, &owner);
	assert_int_equal(owner.result, LOCK_GRANTED);
	assert_int_equal(left.told, 0);
	child_kill(&next);
}

TEST_WITH(whose_time_is_over_is_told_who_has_it, struct room *room)
{
	struct process_id process = child_new(), other = child_new();
	struct lock first = wanted_by(&process, "h"), second = wanted_by(&other, "i");
	struct owner owner = { 0 };
	int64_t began = now_ms();

	grant(room, &first);
	queue(room, &second, 1, &owner);
	wait_told(room, &owner);
	assert_true(now_ms() - began >= 1000 - TICK_MS);
	assert_int_equal(owner.result, LOCK_HELD);
	assert_string_equal(owner.answer.lock.holder, "h");
	assert_int_equal(waiting(room), 0);
	child_kill(&process);
	child_kill(&other);
}

TEST_WITH(one_that_waits_for_what_its_process_gets_is_told_of_that_grant, struct room *room)
{
	struct process_id process = child_new(), other = child_new();
	struct lock first = wanted_by(&process, "h"), same = wanted_by(&other, "i");
	struct owner one = { 0 }, two = { 0 };

	grant(room, &first);
	queue(room, &same, LOCK_WAIT_FOREVER, &one);
	queue(room, &same, LOCK_WAIT_FOREVER, &two);
	child_kill(&process);
	wait_told(room, &two);
	assert_int_equal(one.result, LOCK_GRANTED);
	assert_int_equal(two.result, LOCK_RENEWED);
	assert_true(one.order < two.order);
	assert_int_equal(one.answer.lock.fence, two.answer.lock.fence);
	child_kill(&other);
}

TEST_WITH(more_waiters_than_a_user_may_have_are_refused, struct room *room)
{
	struct process_id process = child_new(), other = child_new();
	struct lock first = wanted_by(&process, "h"), second = wanted_by(&other, "i");
	uint64_t most = quota_limit(QUOTA_LOCK_WAITERS)->per_user;
	_cleanup_free_ struct owner *owners = calloc(most, sizeof(*owners));
	struct lock_answer answer;

	grant(room, &first);
	for (uint64_t i = 0; i < most; i++)
		queue(room, &second, LOCK_WAIT_FOREVER, &owners[i]);
	assert_int_equal(locks_wait(room->locks, &second, 60, on_told, NULL, &answer), LOCK_LIMIT);
	assert_int_equal(answer.limit, QUOTA_LOCK_WAITERS);
	assert_int_equal(answer.excess, QUOTA_OVER_USER);
	for (uint64_t i = 0; i < most; i++)
		locks_leave(owners[i].ticket);
	assert_int_equal(waiting(room), 0);
	child_kill(&process);
	child_kill(&other);
}

TEST_WITH(a_grant_that_nobody_took_goes_to_the_next, struct room *room)
{
	struct process_id process = child_new(), next = child_new();
	struct lock first = wanted_by(&process, "h"), second = wanted_by(&next, "i");
	struct owner owner = { 0 };
	int64_t fence = grant(room, &first);

	queue(room, &second, LOCK_WAIT_FOREVER, &owner);
	locks_take_back(room->locks, key(), fence + 1);
	assert_int_equal(owner.told, 0);
	locks_take_back(room->locks, key(), fence);
	assert_int_equal(owner.told, 1);
	assert_int_equal(owner.result, LOCK_GRANTED);
	/* its own grant is another one */
	locks_take_back(room->locks, key(), fence);
	world_commit(room->world);
	assert_true(held(room));
	child_kill(&process);
	child_kill(&next);
}

TEST_WITH(a_grant_that_nobody_took_is_free_and_written_down, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h");

	locks_take_back(room->locks, key(), grant(room, &wanted));
	world_commit(room->world);
	assert_false(held(room));
	assert_entry(room->world, ACTIVITY_UNLOCK, "a", "left before the answer");
	assert_string_equal(room->world->comm, "portdaddyd");
	child_kill(&process);
}

/* --- a restart, a clock that jumps, a batch that is undone --- */

TEST_WITH(after_a_restart_a_living_process_has_its_lock_and_loses_it_with_its_end,
	  struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h"), lock;
	int64_t fence = grant(room, &wanted);

	restart(room);
	assert_int_equal(locks_look(room->locks, key(), &lock), 0);
	assert_int_equal(lock.process.pid, process.pid);
	assert_int_equal(lock.fence, fence);
	child_kill(&process);
	world_wait(room->world, room->world->action == ACTIVITY_UNLOCK);
	assert_false(held(room));
}

TEST_WITH(after_a_restart_the_lock_of_a_dead_process_is_free, struct room *room)
{
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h");

	grant(room, &wanted);
	child_kill(&process);
	restart(room);
	assert_entry(room->world, ACTIVITY_UNLOCK, "a", "its process has ended");
	assert_false(held(room));
}

/* As when the machine has slept: the clock is past the end, and the timer is not. */
TEST_WITH(what_is_waited_for_is_handed_on_when_the_clock_has_gone_past_its_end, struct room *room)
{
	struct process_id process = child_new(), next = child_new();
	struct lock first = wanted_by(&process, "h"), second = wanted_by(&next, "i");
	struct owner owner = { 0 };
	int64_t fence;

	first.ttl_s = 3600;
	fence = grant(room, &first);
	queue(room, &second, LOCK_WAIT_FOREVER, &owner);
	type_sql(room, "UPDATE locks SET expiresAt = unixepoch() - 60");
	locks_clock_changed(room->locks);
	world_commit(room->world);
	assert_int_equal(owner.result, LOCK_GRANTED);
	assert_int_equal(owner.told, 1);
	assert_true(owner.answer.lock.fence > fence);
	child_kill(&process);
	child_kill(&next);
}

/* The row, as it was before the batch that failed, is free: who waits is served by the retry. */
TEST_WITH(a_grant_that_was_undone_is_granted_anew, struct room *room)
{
	struct process_id process = child_new(), next = child_new();
	struct lock first = wanted_by(&process, "h"), second = wanted_by(&next, "i");
	struct owner owner = { 0 };

	grant(room, &first);
	queue(room, &second, LOCK_WAIT_FOREVER, &owner);
	type_sql(room, "UPDATE locks SET holder = NULL, pid = NULL, fence = 0");
	locks_undone(room->locks);
	wait_told(room, &owner);
	assert_int_equal(owner.result, LOCK_GRANTED);
	child_kill(&process);
	child_kill(&next);
}

/*
 * While a person's transaction is open nothing can be released.  The lock is free without anybody's
 * doing when that has ended, for it has deleted the row.
 */
TEST_WITH(what_could_not_be_released_is_handed_on_by_the_retry, struct room *room)
{
	struct process_id process = child_new(), next = child_new();
	struct lock first = wanted_by(&process, "h"), second = wanted_by(&next, "i");
	struct owner owner = { 0 };
	sqlite3 *db;

	grant(room, &first);
	queue(room, &second, LOCK_WAIT_FOREVER, &owner);
	assert_int_equal(sqlite3_open(room->world->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM locks", NULL, NULL, NULL),
			 0);
	child_kill(&process);
	world_wait(room->world, !quota_used(room->world->c.quota, ANNE, QUOTA_LOCKS_HELD));
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(owner.told, 0);
	wait_told(room, &owner);
	assert_int_equal(owner.result, LOCK_GRANTED);
	child_kill(&next);
}

/* --- rows that people change while their locks are held --- */

/* Two, so that the list of grants is walked on when the first one has been freed. */
TEST_WITH(held_locks_whose_rows_are_gone_or_anothers_are_free_at_the_next_look, struct room *room)
{
	static const char *const by_hand[] = {
		"DELETE FROM locks WHERE name LIKE 'a%'",
		"DELETE FROM locks",
		"UPDATE locks SET name = 'c' WHERE name LIKE 'a%'",
		"UPDATE locks SET holder = NULL, fence = 77",
		"UPDATE locks SET fence = fence + 1000, pid = 1, startTicks = 1",
	};
	struct process_id process = child_new();
	struct lock wanted = wanted_by(&process, "h"), other = wanted;

	strcpy(other.name, "b");
	for (size_t i = 0; i < ARRAY_SIZE(by_hand); i++) {
		_cleanup_free_ struct lock *all = NULL;
		size_t n;

		grant(room, &wanted);
		grant(room, &other);
		type_sql(room, by_hand[i]);
		assert_int_equal(locks_look_all(room->locks, true, &all, &n), 0);
		world_commit(room->world);
		for (size_t l = 0; l < n; l++)
			if (lock_has_key(&all[l], key()))
				fail_msg("still held after %s", by_hand[i]);
		type_sql(room, "DELETE FROM locks");
		/* the grants of the deleted rows go as well */
		free(TAKE_PTR(all));
		assert_int_equal(locks_look_all(room->locks, true, &all, &n), 0);
		assert_int_equal(n, 0);
		assert_int_equal(quota_used_by_all(room->world->c.quota, QUOTA_LOCKS_HELD), 0);
	}
	child_kill(&process);
}

TEST_WITH(one_that_waits_for_a_lock_whose_row_is_gone_gets_it, struct room *room)
{
	struct process_id process = child_new(), next = child_new();
	struct lock first = wanted_by(&process, "h"), other = first, second = wanted_by(&next, "i");
	struct owner owner = { 0 };
	_cleanup_free_ struct lock *all = NULL;
	size_t n;

	strcpy(other.name, "b");
	grant(room, &first);
	grant(room, &other);
	queue(room, &second, LOCK_WAIT_FOREVER, &owner);
	type_sql(room, "DELETE FROM locks WHERE name LIKE 'a%'");
	assert_int_equal(locks_look_all(room->locks, false, &all, &n), 0);
	world_commit(room->world);
	assert_int_equal(owner.result, LOCK_GRANTED);
	assert_int_equal(owner.told, 1);
	child_kill(&process);
	child_kill(&next);
}

EACH_TEST_MAIN(open_room, close_room)
