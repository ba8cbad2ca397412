/* SPDX-License-Identifier: MIT */
/*
 * The room between a real registry, real processes and a listener that keeps what it hears.  There
 * is no client: the test commits, at the end of each turn of the loop in which that was asked for.
 */
#ifndef TESTS_COORDINATION_WORLD_H
#define TESTS_COORDINATION_WORLD_H

#include <event2/event.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel_source.h"
#include "base/procfs.h"
#include "base/quota.h"
#include "coordination/coordination.h"
#include "coordination/process_watch.h"
#include "testing.h"
#include "tracker/activity.h"
#include "tracker/listener.h"
#include "unit/home.h"

#define OWN  900 /* the daemon's user */
#define ANNE 1000
#define BERT 1001

#define CHILDREN_MAX 8

static inline int64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* --- processes --- */

static pid_t children[CHILDREN_MAX]; /* those that are still to be killed; 0 = none */

/* Exchanges one entry of the list. */
static inline void child_note(pid_t old, pid_t new)
{
	size_t i = 0;

	while (children[i] != old)
		assert_true(++i < CHILDREN_MAX);
	children[i] = new;
}

/* A child that does nothing until child_kill(), or until the world is closed. */
static inline struct process_id child_new(void)
{
	struct process_id id;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	child_note(0, pid);
	assert_int_equal(procfs_identity(pid, &id), 0);
	return id;
}

static inline void child_kill(const struct process_id *id)
{
	assert_int_equal(kill(id->pid, SIGKILL), 0);
	assert_int_equal(waitpid(id->pid, NULL, 0), id->pid);
	child_note(id->pid, 0);
}

/* --- the world --- */

struct world {
	char dir[DIRECTORY_SIZE], database[HOME_PATH_SIZE];
	struct coordination c;
	struct activity_writer activity;
	struct tracker_listener listener;
	bool commit_due;
	/* what stands on it, of the one that is tested */
	struct locks *locks;
	struct sessions *sessions;
	/* the kernel side: one run at most is begun */
	struct kernel_source kernel;
	struct process_id first;
	uint64_t run;
	bool run_lives;
	/* the newest entry that the listener heard of */
	enum activity_action action;
	char subject[64], details[256], comm[64];
	pid_t pid;
	uid_t uid;
};

static inline void hear_entry(const struct activity *entry, void *user_data)
{
	struct world *w = user_data;

	w->action = entry->action;
	w->pid = entry->pid;
	w->uid = entry->uid;
	snprintf(w->subject, sizeof(w->subject), "%s", entry->service);
	snprintf(w->details, sizeof(w->details), "%s", entry->details);
	snprintf(w->comm, sizeof(w->comm), "%s", entry->comm);
}

static inline void hear_commit(bool somebody_waits, void *user_data)
{
	struct world *w = user_data;

	assert_true(registry_in_batch(w->c.registry));
	w->commit_due = true;
}

static inline int begin_run(void *user_data, uint64_t run, const struct process_id *first)
{
	struct world *w = user_data;

	w->run = run;
	w->first = *first;
	w->run_lives = true;
	return 0;
}

static inline bool run_lives(void *user_data, uint64_t run)
{
	const struct world *w = user_data;

	return run == w->run && w->run_lives;
}

static inline int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->c.registry = home_open(w->dir, w->database);
	w->c.loop = event_base_new();
	assert_non_null(w->c.loop);
	assert_int_equal(activity_init(&w->activity, w->c.loop, w->c.registry), 0);
	w->listener = (struct tracker_listener){ .entry_written = hear_entry,
						 .commit_due = hear_commit,
						 .user_data = w };
	w->activity.listener = &w->listener;
	w->c.activity = &w->activity;
	w->kernel = (struct kernel_source){ .user_data = w,
					    .begin_run = begin_run,
					    .run_lives = run_lives };
	w->c.kernel = &w->kernel;
	assert_int_equal(quota_new(OWN, &w->c.quota), 0);
	assert_int_equal(process_watcher_new(w->c.loop, w->c.quota, &w->c.processes), 0);
	*state = w;
	return 0;
}

static inline int world_close(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (children[i])
			child_kill(&(struct process_id){ .pid = children[i] });
	process_watcher_free(w->c.processes);
	for (int kind = 0; kind < _QUOTA_MAX; kind++)
		assert_int_equal(quota_used_by_all(w->c.quota, kind), 0);
	quota_free(w->c.quota);
	activity_deinit(&w->activity);
	registry_close(w->c.registry);
	event_base_free(w->c.loop);
	directory_remove(w->dir);
	free(w);
	return 0;
}

static inline void world_commit(struct world *w)
{
	/* what is written without asking for its commit would stay undone */
	assert_int_equal(registry_in_batch(w->c.registry), w->commit_due);
	if (w->commit_due)
		assert_int_equal(registry_commit(w->c.registry), 0);
	w->commit_due = false;
}

/* One turn of the loop, with the commit at its end; waits for an event, but not for long. */
static inline void world_turn(struct world *w)
{
	static const struct timeval wait = { .tv_usec = 10000 };

	event_base_loopexit(w->c.loop, &wait);
	event_base_loop(w->c.loop, EVLOOP_ONCE);
	world_commit(w);
}

#define world_wait(w, condition) AWAIT(condition, world_turn(w))

/* The newest entry is of that kind, about that, with these words. */
static inline void assert_entry(const struct world *w, enum activity_action action,
				const char *subject, const char *words)
{
	assert_string_equal(activity_action_name(w->action), activity_action_name(action));
	assert_string_equal(w->subject, subject);
	if (!strstr(w->details, words))
		fail_msg("\"%s\" is not in: %s", words, w->details);
}

#endif
