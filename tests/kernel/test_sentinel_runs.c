/* SPDX-License-Identifier: MIT */
/* Runs: who descends from a process is of its run, and the end of the last is told once. */
#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/run.h"
#include "kernel/actors.h"

#define FORKS	      300
#define FIRST_UNNAMED (UINT64_C(1) << 32)

static uint64_t next_run = 1;

/* Forks on a step; the descendants live until the write end of `hold` is closed everywhere. */
static int hold[2];

static void rest(void)
{
	char byte;

	close(hold[1]);
	while (read(hold[0], &byte, 1) < 0)
		;
	_exit(0);
}

static void let_them_end(void)
{
	close(hold[0]);
	close(hold[1]);
}

/* The child of its child leads a session, and its parent is gone: as daemons do. */
static int run_daemonizing(struct act *act)
{
	pid_t middle;

	act_await(act);
	middle = fork();
	if (!middle) {
		setsid();
		if (!fork())
			rest();
		_exit(0);
	}
	waitpid(middle, NULL, 0);
	return 0;
}

static uint64_t begin_numbered(struct watcher *w, uint64_t run, pid_t pid)
{
	struct process_id id = identity(pid);

	if (!sentinel_kernel_source(w->sentinel)->begin_run)
		fail_msg("no probe of processes");
	assert_int_equal(ASK(w->sentinel, begin_run, run, &id), 0);
	return run;
}

static uint64_t begin_run(struct watcher *w, pid_t pid)
{
	return begin_numbered(w, next_run++, pid);
}

static size_t count_members(struct watcher *w, uint64_t run)
{
	_cleanup_free_ struct run_member *members = NULL;
	size_t n = 0, found = 0;

	assert_int_equal(ASK(w->sentinel, run_members, &members, &n), 0);
	for (size_t i = 0; i < n; i++) {
		found += members[i].run == run;
	}
	return found;
}

static void await_members(struct watcher *w, uint64_t run, size_t n)
{
	int64_t deadline = now_ms() + WAIT_MS;

	while (count_members(w, run) != n) {
		assert_true(now_ms() < deadline);
		poll(NULL, 0, 1);
	}
}

static size_t count_ends(const struct watcher *w, uint64_t run)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->events[i].kind == EVENT_RUN_END && w->events[i].run == run;
	return n;
}

static void await_end(struct watcher *w, uint64_t run)
{
	int64_t deadline = now_ms() + WAIT_MS;

	while (dispatch(w), !count_ends(w, run)) {
		struct pollfd p = { .fd = sentinel_fd(w->sentinel), .events = POLLIN };

		assert_true(now_ms() < deadline);
		poll(&p, 1, (int)(deadline - now_ms()));
	}
	assert_int_equal(count_ends(w, run), 1);
	assert_false(ASK(w->sentinel, run_lives, run));
}

TEST_WITH(run_lasts_until_a_daemon_below_it_has_ended, struct watcher *w)
{
	struct child child;
	uint64_t run;

	assert_int_equal(pipe(hold), 0);
	child = start_child(run_daemonizing);
	run = begin_run(w, child.pid);
	step(&child);
	assert_int_equal(end_child(&child), 0);
	dispatch(w);
	assert_int_equal(count_ends(w, run), 0);
	assert_true(ASK(w->sentinel, run_lives, run));
	let_them_end();
	await_end(w, run);
}

TEST_WITH(run_lasts_when_its_first_process_is_killed, struct watcher *w)
{
	struct child child;
	uint64_t run;

	assert_int_equal(pipe(hold), 0);
	child = start_child(run_daemonizing);
	run = begin_run(w, child.pid);
	step(&child);
	kill(child.pid, SIGKILL); /* before, amid or behind its fork */
	end_child(&child);
	let_them_end();
	await_end(w, run);
}

static int run_fork_storm(struct act *act)
{
	act_await(act);
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return 1;
	}
	return 0;
}

TEST_WITH(short_lived_members_are_not_told_of, struct watcher *w)
{
	struct child child = start_child(run_fork_storm);
	uint64_t run = begin_run(w, child.pid);

	step(&child);
	assert_int_equal(end_child(&child), 0);
	await_end(w, run);
	assert_int_equal(count_events(w, EVENT_FORK, child.pid), 0);
	assert_int_equal(count_events(w, EVENT_RUN_END, child.pid), 1);
}

/* On the first step it forks a child that begins a run of its own, and leaves it alone. */
static int run_outer(struct act *act)
{
	struct told told = { .pid = fork() };

	if (!told.pid) {
		act_await(act);
		if (!fork())
			rest();
		_exit(0);
	}
	return act_stay(act, &told);
}

TEST_WITH(run_inside_a_run_is_one_member_of_it, struct watcher *w)
{
	uint64_t outer, inner;
	struct child child;
	struct told told;

	assert_int_equal(pipe(hold), 0);
	child = start_child(run_outer);
	outer = begin_run(w, child.pid); /* its child is there already, or not yet */
	told = hear_well(&child);
	inner = begin_run(w, told.pid);
	step(&child);
	step(&child);
	assert_int_equal(end_child(&child), 0);
	assert_true(ASK(w->sentinel, run_lives, inner));
	let_them_end();
	await_end(w, inner);
	await_end(w, outer);
}

static int run_outer_on_a_step(struct act *act)
{
	act_await(act);
	return run_outer(act);
}

/* As those of a lock are: they belong to the run around it. */
TEST_WITH(members_of_a_run_that_has_no_name_are_of_the_one_around_it, struct watcher *w)
{
	uint64_t outer, inner;
	struct child child;
	struct process_id id;
	struct told told;

	assert_int_equal(pipe(hold), 0);
	child = start_child(run_outer_on_a_step);
	outer = begin_run(w, child.pid);
	step(&child);
	told = hear_well(&child);
	inner = begin_numbered(w, FIRST_UNNAMED + outer, told.pid);
	id = identity(told.pid);
	assert_int_equal(ASK(w->sentinel, run_of, &id), outer);
	assert_int_equal(count_members(w, outer), 2);
	step(&child);
	step(&child);
	assert_int_equal(end_child(&child), 0);
	await_members(w, outer, 1); /* the daemon that the inner one left */
	let_them_end();
	await_end(w, inner);
	await_end(w, outer);
	assert_int_equal(count_members(w, outer), 0);
}

/* After a restart: who was there before is named by user space, and its children by the kernel. */
TEST_WITH(process_that_joins_a_run_hands_it_on, struct watcher *w)
{
	struct child first = start_child(run_fork_storm), second;
	uint64_t run = begin_run(w, first.pid);
	struct process_id id;

	assert_int_equal(pipe(hold), 0);
	second = start_child(run_daemonizing);
	id = identity(second.pid);
	assert_int_equal(ASK(w->sentinel, join_run, (uint32_t)run, &id), 0);
	assert_int_equal(ASK(w->sentinel, join_run, (uint32_t)run, &id), 0);
	assert_int_equal(count_members(w, run), 2);
	step(&second);
	assert_int_equal(end_child(&second), 0);
	step(&first);
	assert_int_equal(end_child(&first), 0);
	await_members(w, run, 1);
	assert_true(ASK(w->sentinel, run_lives, run));
	let_them_end();
	await_end(w, run);
}

TEST_WITH(ended_process_begins_no_run, struct watcher *w)
{
	struct child child = start_child(run_fork_storm);
	struct process_id id = identity(child.pid);

	step(&child);
	end_child(&child);
	assert_int_equal(ASK(w->sentinel, begin_run, next_run, &id), -ESRCH);
	assert_false(ASK(w->sentinel, run_lives, next_run));
}

TEST_WITH(number_of_a_run_that_lives_is_not_given_twice, struct watcher *w)
{
	struct child child = start_child(run_fork_storm), other = start_child(run_fork_storm);
	uint64_t run = begin_run(w, child.pid);
	struct process_id id = identity(other.pid);

	assert_int_equal(ASK(w->sentinel, begin_run, run, &id), -EEXIST);
	end_child(&other);
	end_child(&child);
	await_end(w, run);
}

WATCHING_TEST_MAIN(start_watching, stop_watching)
