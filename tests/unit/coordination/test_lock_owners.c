/* SPDX-License-Identifier: MIT */
/* Whose a lock is when its process was not alone: all that it started, or who had it run. */
#include "lock_room.h"

/* --- runs --- */

/* A lock that lasts as long as the run of a child, which is killed. */
static int64_t grant_to_run_of_killed(struct room *room)
{
	struct process_id child = child_new();
	struct lock wanted = wanted_by(&child, "app:web");
	int64_t fence = grant(room, &wanted);

	assert_int_equal(locks_follow_run(room->locks, key(), fence), 0);
	assert_true(process_id_equal(&room->world->first, &child));
	child_kill(&child);
	return fence;
}

TEST_WITH(lock_lasts_until_the_run_of_its_process_has_ended, struct room *room)
{
	struct process_id me = child_new();
	struct lock next = wanted_by(&me, "app:next");
	struct owner owner = { 0 };

	grant_to_run_of_killed(room);
	queue(room, &next, LOCK_WAIT_FOREVER, &owner);
	for (int turn = 0; turn < 5; turn++)
		world_turn(room->world);
	assert_true(held(room));
	assert_int_equal(owner.told, 0);

	room->world->run_lives = false;
	locks_run_ended(room->locks, room->world->run + 1); /* another one */
	assert_int_equal(owner.told, 0);
	locks_run_ended(room->locks, room->world->run);
	world_commit(room->world);
	assert_int_equal(owner.told, 1);
	assert_int_equal(owner.result, LOCK_GRANTED);
	child_kill(&me);
	world_wait(room->world, !held(room));
}

TEST_WITH(how_a_lock_ended_with_its_run_is_written_down, struct room *room)
{
	grant_to_run_of_killed(room);
	for (int turn = 0; turn < 5; turn++)
		world_turn(room->world);
	room->world->run_lives = false;
	locks_run_ended(room->locks, room->world->run);
	world_commit(room->world);
	assert_entry(room->world, ACTIVITY_UNLOCK, "a",
		     "the last process of its command has ended; was held by app:web");
	assert_false(held(room));
}

TEST_WITH(run_that_ends_with_its_process_ends_the_lock_at_once, struct room *room)
{
	grant_to_run_of_killed(room);
	room->world->run_lives = false;
	world_wait(room->world, !held(room));
	assert_entry(room->world, ACTIVITY_UNLOCK, "a", "has ended; was held by app:web");
}

/* An event may be lost: whoever looks finds out. */
TEST_WITH(end_of_a_run_that_was_not_told_is_found_by_a_look, struct room *room)
{
	grant_to_run_of_killed(room);
	for (int turn = 0; turn < 5; turn++)
		world_turn(room->world);
	assert_true(held(room));
	room->world->run_lives = false;
	assert_false(held(room));
}

TEST_WITH(lock_that_is_given_back_does_not_wait_for_its_run, struct room *room)
{
	const struct lock_actor actor = { getpid(), ANNE, "pd" };
	struct process_id child = child_new();
	struct lock wanted = wanted_by(&child, "app:web");
	int64_t fence = grant(room, &wanted);

	assert_int_equal(locks_follow_run(room->locks, key(), fence), 0);
	wanted.fence = fence;
	assert_int_equal(locks_release(room->locks, &wanted, "Released", &actor), 0);
	world_commit(room->world);
	assert_false(held(room));
	child_kill(&child);
	locks_run_ended(room->locks, room->world->run);
}

TEST_WITH(without_runs_a_lock_ends_with_its_process, struct room *room)
{
	struct process_id child = child_new();
	struct lock wanted = wanted_by(&child, "app:web");
	int64_t fence = grant(room, &wanted);

	room->world->kernel.begin_run = NULL;
	assert_int_equal(locks_follow_run(room->locks, key(), fence), -EOPNOTSUPP);
	assert_int_equal(locks_follow_run(room->locks, key(), fence + 1), -ESRCH);
	child_kill(&child);
	world_wait(room->world, !held(room));
}

/* --- by time --- */

TEST_WITH(lock_by_time_has_no_process_and_survives_a_restart, struct room *room)
{
	struct lock wanted = { .name = "a", .owner = ANNE, .uid = ANNE, .by_time = true };
	struct lock_answer answer;

	strcpy(wanted.holder, "anne:sh");
	wanted.ttl_s = 60;
	grant(room, &wanted);
	restart(room);
	assert_true(held(room));
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_RENEWED);
	strcpy(wanted.holder, "anne:make");
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_HELD);
	assert_true(answer.lock.by_time);
}

TEST_WITH(lock_by_time_ends_at_its_time, struct room *room)
{
	struct lock wanted = { .name = "a", .owner = ANNE, .uid = ANNE, .by_time = true };

	strcpy(wanted.holder, "anne:sh");
	wanted.ttl_s = 1;
	grant(room, &wanted);
	world_wait(room->world, !held(room));
}

/* --- of a single command --- */

/* Taken by a child that is killed at once; `next` is who has it run, NULL: nobody that lasts. */
static void grant_to_short_lived(struct room *room, const struct process_id *next, int64_t ttl_s)
{
	struct process_id child = child_new();
	struct lock wanted = wanted_by(&child, "app:web");

	wanted.short_lived = true;
	wanted.ttl_s = ttl_s;
	if (next)
		wanted.successor = *next;
	strcpy(wanted.successor_comm, next ? "bash" : "");
	grant(room, &wanted);
	child_kill(&child);
}

static struct lock look(struct room *room)
{
	struct lock lock;

	assert_int_equal(locks_look(room->locks, key(), &lock), 0);
	world_commit(room->world);
	return lock;
}

TEST_WITH(lock_of_a_single_command_is_left_to_who_had_it_run, struct room *room)
{
	struct process_id shell = child_new(), again = child_new();
	struct lock wanted = wanted_by(&again, "app:web");
	struct lock_answer answer;

	grant_to_short_lived(room, &shell, 0);
	world_wait(room->world, look(room).process.pid == shell.pid);
	assert_string_equal(look(room).comm, "bash");
	assert_entry(room->world, ACTIVITY_LOCK, "a", "which took it, has ended");

	/* its next command has it, another process does not */
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_HELD);
	wanted.short_lived = true;
	wanted.successor = shell;
	assert_int_equal(acquire(room, &wanted, &answer), LOCK_RENEWED);
	child_kill(&again);
	for (int turn = 0; turn < 5; turn++)
		world_turn(room->world);
	assert_true(held(room));
	child_kill(&shell);
	world_wait(room->world, !held(room));
}

TEST_WITH(lock_of_a_single_command_with_nobody_above_stays_for_its_time, struct room *room)
{
	grant_to_short_lived(room, NULL, 60);
	world_wait(room->world, look(room).by_time);
	assert_true(held(room));
}

TEST_WITH(lock_of_a_single_command_with_nobody_above_and_no_time_is_free, struct room *room)
{
	grant_to_short_lived(room, NULL, 0);
	world_wait(room->world, !held(room));
}

TEST_WITH(who_is_to_have_it_may_have_ended_as_well, struct room *room)
{
	struct process_id shell = child_new();

	child_kill(&shell);
	grant_to_short_lived(room, &shell, 0);
	world_wait(room->world, !held(room));
}

/* --- hundreds that end with one process --- */

static uint64_t n_held(const struct room *room)
{
	return quota_used(room->world->c.quota, ANNE, QUOTA_LOCKS_HELD);
}

TEST_WITH(turn_ends_few_of_hundreds_and_others_get_theirs_in_between, struct room *room)
{
	const uint64_t most = quota_limit(QUOTA_LOCKS_HELD)->per_user;
	struct process_id process = child_new(), other = child_new();
	struct lock wanted = wanted_by(&process, "h"), theirs = wanted_by(&other, "i");
	struct lock_answer answer;

	for (uint64_t i = 0; i < most; i++) {
		snprintf(wanted.name, sizeof(wanted.name), "lock-%d", (int)i);
		assert_int_equal(locks_acquire(room->locks, &wanted, &answer), LOCK_GRANTED);
	}
	world_commit(room->world);
	child_kill(&process);
	world_wait(room->world, n_held(room) < most);
	theirs.owner = theirs.uid = BERT;
	grant(room, &theirs);
	for (uint64_t before = most, now = n_held(room); before; before = now, now = n_held(room)) {
		assert_true(before - now <= PROCESS_WATCH_TOLD_AT_ONCE);
		world_wait(room->world, !now || n_held(room) < now);
	}
	child_kill(&other);
}

EACH_TEST_MAIN(open_room, close_room)
