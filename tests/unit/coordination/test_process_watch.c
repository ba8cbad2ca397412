/* SPDX-License-Identifier: MIT */
/* Ends of processes as the loop tells of them; the processes are real. */
#include "world.h"

#include "base/cleanup.h"

struct watched {
	struct process_id id;
	struct process_watch *watch;
	unsigned told;
	bool frees;
	struct watched *frees_too;
};

static void on_gone(const struct process_id *id, void *user_data)
{
	struct watched *w = user_data;

	assert_true(process_id_equal(id, &w->id));
	w->told++;
	if (w->frees)
		process_watch_free(TAKE_PTR(w->watch));
	if (w->frees_too)
		process_watch_free(TAKE_PTR(w->frees_too->watch));
}

static void watch(struct world *world, struct watched *w)
{
	assert_int_equal(process_watch_new(world->c.processes, &w->id, ANNE, on_gone, w, &w->watch),
			 0);
}

static void wait_told(struct world *world, const struct watched *w)
{
	world_wait(world, w->told);
}

TEST_WITH(a_killed_process_is_told_once, struct world *world)
{
	struct watched w = { 0 };

	w.id = child_new();
	watch(world, &w);
	child_kill(&w.id);
	wait_told(world, &w);
	event_base_loop(world->c.loop, EVLOOP_NONBLOCK);
	assert_int_equal(w.told, 1);
}

TEST_WITH(a_zombie_counts_as_gone, struct world *world)
{
	struct watched w = { 0 };

	w.id = child_new();
	watch(world, &w);
	assert_int_equal(kill(w.id.pid, SIGKILL), 0);
	wait_told(world, &w);
	assert_int_equal(process_watch_new(world->c.processes, &w.id, ANNE, on_gone, &w, &w.watch),
			 -ESRCH);
}

TEST_WITH(a_reused_pid_is_another_process, struct world *world)
{
	struct watched w = { 0 };

	w.id = child_new();
	w.id.start_ticks--;
	assert_int_equal(process_watch_new(world->c.processes, &w.id, ANNE, on_gone, &w, &w.watch),
			 -ESRCH);
}

TEST_WITH(a_watch_may_be_freed_while_it_tells, struct world *world)
{
	struct watched w = { .frees = true };

	w.id = child_new();
	watch(world, &w);
	child_kill(&w.id);
	wait_told(world, &w);
	assert_null(w.watch);
}

TEST_WITH(a_freed_watch_tells_nothing, struct world *world)
{
	struct watched quiet = { 0 }, other = { 0 };

	quiet.id = child_new();
	other.id = child_new();
	watch(world, &quiet);
	watch(world, &other);
	process_watch_free(quiet.watch);
	child_kill(&quiet.id);
	child_kill(&other.id);
	wait_told(world, &other);
	assert_int_equal(quiet.told, 0);
}

/* Those of one user: another user's process still has a descriptor. */
TEST_WITH(beyond_a_users_descriptors_the_timer_looks, struct world *world)
{
	const uint64_t most = quota_limit(QUOTA_PROCESS_FDS)->per_user;
	_cleanup_free_ struct watched *many = calloc(most, sizeof(*many));
	struct watched w = { 0 }, other = { 0 };

	assert_non_null(many);
	w.id = child_new();
	for (size_t i = 0; i < most; i++) {
		many[i].id = w.id;
		watch(world, &many[i]);
		assert_non_null(many[i].watch);
	}
	watch(world, &w);
	assert_int_equal(quota_used(world->c.quota, ANNE, QUOTA_PROCESS_FDS), most);
	other.id = w.id;
	assert_int_equal(process_watch_new(world->c.processes, &other.id, BERT, on_gone, &other,
					   &other.watch),
			 0);
	assert_int_equal(quota_used(world->c.quota, BERT, QUOTA_PROCESS_FDS), 1);
	child_kill(&w.id);
	wait_told(world, &w);
	wait_told(world, &other);
	assert_int_equal(w.told, 1);
}

/* The timer looks at the newest first. */
TEST_WITH(who_is_told_by_the_timer_may_free_the_watch_that_comes_next, struct world *world)
{
	const uint64_t most = quota_limit(QUOTA_PROCESS_FDS)->per_user;
	struct watched last = { 0 }, next = { 0 }, first = { .frees = true, .frees_too = &next };

	assert_int_equal(quota_charge(world->c.quota, ANNE, QUOTA_PROCESS_FDS, most), 0);
	last.id = next.id = first.id = child_new();
	watch(world, &last);
	watch(world, &next);
	watch(world, &first);
	quota_give_back(world->c.quota, ANNE, QUOTA_PROCESS_FDS, most);
	child_kill(&first.id);
	wait_told(world, &last);
	assert_int_equal(first.told, 1);
	assert_int_equal(next.told, 0);
}

EACH_TEST_MAIN(world_open, world_close)
