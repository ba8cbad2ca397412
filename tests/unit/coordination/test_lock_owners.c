/* SPDX-License-Identifier: MIT */
/* Whose a lock is when its process was not alone: all that it started, or who had it run. */
#include "lock_room.h"

/* --- runs --- */

/* A lock that lasts as long as the run of a child, which is killed. */
static void grant_to_run_of_killed(struct world *w)
{
	struct lock wanted = wanted_by_child("app:web");
	int64_t fence = grant(w, &wanted);

	assert_int_equal(locks_follow_run(w->locks, key(), fence), 0);
	assert_true(process_id_equal(&w->first, &wanted.process));
	child_kill(&wanted.process);
}

/* Some turns, in which nothing is waited for. */
static void turn_on(struct world *w)
{
	for (int turn = 0; turn < 5; turn++)
		world_turn(w);
}

static void end_run(struct world *w)
{
	w->run_lives = false;
	locks_run_ended(w->locks, w->run);
	world_commit(w);
}

TEST_WITH(lock_lasts_until_the_run_of_its_process_has_ended, struct world *w)
{
	struct lock next = wanted_by_child("app:next");
	struct owner owner = { 0 };

	grant_to_run_of_killed(w);
	queue(w, &next, LOCK_WAIT_FOREVER, &owner);
	turn_on(w);
	assert_true(held(w));
	assert_int_equal(owner.told, 0);

	locks_run_ended(w->locks, w->run + 1); /* another one */
	assert_int_equal(owner.told, 0);
	end_run(w);
	assert_int_equal(owner.told, 1);
	assert_int_equal(owner.result, LOCK_GRANTED);
	child_kill(&next.process);
	world_wait(w, !held(w));
}

TEST_WITH(how_a_lock_ended_with_its_run_is_written_down, struct world *w)
{
	grant_to_run_of_killed(w);
	turn_on(w);
	end_run(w);
	assert_entry(w, ACTIVITY_UNLOCK, "a",
		     "the last process of its command has ended; was held by app:web");
	assert_false(held(w));
}

TEST_WITH(run_that_ends_with_its_process_ends_the_lock_at_once, struct world *w)
{
	grant_to_run_of_killed(w);
	w->run_lives = false;
	world_wait(w, !held(w));
	assert_entry(w, ACTIVITY_UNLOCK, "a", "has ended; was held by app:web");
}

/* An event may be lost: whoever looks finds out. */
TEST_WITH(end_of_a_run_that_was_not_told_is_found_by_a_look, struct world *w)
{
	grant_to_run_of_killed(w);
	turn_on(w);
	assert_true(held(w));
	w->run_lives = false;
	assert_false(held(w));
}

TEST_WITH(lock_that_is_given_back_does_not_wait_for_its_run, struct world *w)
{
	const struct lock_actor actor = { getpid(), ANNE, "pd" };
	struct lock wanted = wanted_by_child("app:web");
	int64_t fence = grant(w, &wanted);

	assert_int_equal(locks_follow_run(w->locks, key(), fence), 0);
	wanted.fence = fence;
	assert_int_equal(locks_release(w->locks, &wanted, "Released", &actor), 0);
	world_commit(w);
	assert_false(held(w));
	child_kill(&wanted.process);
	locks_run_ended(w->locks, w->run);
}

TEST_WITH(without_runs_a_lock_ends_with_its_process, struct world *w)
{
	struct lock wanted = wanted_by_child("app:web");
	int64_t fence = grant(w, &wanted);

	w->kernel.begin_run = NULL;
	assert_int_equal(locks_follow_run(w->locks, key(), fence), -EOPNOTSUPP);
	assert_int_equal(locks_follow_run(w->locks, key(), fence + 1), -ESRCH);
	child_kill(&wanted.process);
	world_wait(w, !held(w));
}

/* --- by time --- */

TEST_WITH(lock_by_time_has_no_process_and_survives_a_restart, struct world *w)
{
	struct lock wanted = { .name = "a", .owner = ANNE, .uid = ANNE, .by_time = true };
	struct lock_answer answer;

	strcpy(wanted.holder, "anne:sh");
	wanted.ttl_s = 60;
	grant(w, &wanted);
	restart(w);
	assert_true(held(w));
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_RENEWED);
	strcpy(wanted.holder, "anne:make");
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_HELD);
	assert_true(answer.lock.by_time);
}

TEST_WITH(lock_by_time_ends_at_its_time, struct world *w)
{
	struct lock wanted = { .name = "a", .owner = ANNE, .uid = ANNE, .by_time = true };

	strcpy(wanted.holder, "anne:sh");
	wanted.ttl_s = 1;
	grant(w, &wanted);
	world_wait(w, !held(w));
}

/* --- of a single command --- */

/* Taken by a child that is killed at once; `next` is who has it run, NULL: nobody that lasts. */
static void grant_to_short_lived(struct world *w, const struct process_id *next, int64_t ttl_s)
{
	struct lock wanted = wanted_by_child("app:web");

	wanted.short_lived = true;
	wanted.ttl_s = ttl_s;
	if (next)
		wanted.successor = *next;
	strcpy(wanted.successor_comm, next ? "bash" : "");
	grant(w, &wanted);
	child_kill(&wanted.process);
}

static struct lock look(struct world *w)
{
	struct lock lock;

	assert_int_equal(locks_look(w->locks, key(), &lock), 0);
	world_commit(w);
	return lock;
}

TEST_WITH(lock_of_a_single_command_is_left_to_who_had_it_run, struct world *w)
{
	struct process_id shell = child_new();
	struct lock wanted = wanted_by_child("app:web");
	struct lock_answer answer;

	grant_to_short_lived(w, &shell, 0);
	world_wait(w, look(w).process.pid == shell.pid);
	assert_string_equal(look(w).comm, "bash");
	assert_entry(w, ACTIVITY_LOCK, "a", "which took it, has ended");

	/* its next command has it, another process does not */
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_HELD);
	wanted.short_lived = true;
	wanted.successor = shell;
	assert_int_equal(acquire(w, &wanted, &answer), LOCK_RENEWED);
	child_kill(&wanted.process);
	turn_on(w);
	assert_true(held(w));
	child_kill(&shell);
	world_wait(w, !held(w));
}

TEST_WITH(lock_of_a_single_command_with_nobody_above_stays_for_its_time, struct world *w)
{
	grant_to_short_lived(w, NULL, 60);
	world_wait(w, look(w).by_time);
	assert_true(held(w));
}

TEST_WITH(lock_of_a_single_command_with_nobody_above_and_no_time_is_free, struct world *w)
{
	grant_to_short_lived(w, NULL, 0);
	world_wait(w, !held(w));
}

TEST_WITH(who_is_to_have_it_may_have_ended_as_well, struct world *w)
{
	struct process_id shell = child_new();

	child_kill(&shell);
	grant_to_short_lived(w, &shell, 0);
	world_wait(w, !held(w));
}

/* --- hundreds that end with one process --- */

static uint64_t n_held(const struct world *w)
{
	return quota_used(w->c.quota, ANNE, QUOTA_LOCKS_HELD);
}

TEST_WITH(turn_ends_few_of_hundreds_and_others_get_theirs_in_between, struct world *w)
{
	const uint64_t most = quota_limit(QUOTA_LOCKS_HELD)->per_user;
	struct lock wanted = wanted_by_child("h"), theirs = wanted_by_child("i");
	struct lock_answer answer;

	for (uint64_t i = 0; i < most; i++) {
		snprintf(wanted.name, sizeof(wanted.name), "lock-%d", (int)i);
		assert_int_equal(locks_acquire(w->locks, &wanted, &answer), LOCK_GRANTED);
	}
	world_commit(w);
	child_kill(&wanted.process);
	world_wait(w, n_held(w) < most);
	theirs.owner = theirs.uid = BERT;
	grant(w, &theirs);
	for (uint64_t before = most, now = n_held(w); before; before = now, now = n_held(w)) {
		assert_true(before - now <= PROCESS_WATCH_TOLD_AT_ONCE);
		world_wait(w, !now || n_held(w) < now);
	}
}

EACH_TEST_MAIN(open_locks, close_locks)
