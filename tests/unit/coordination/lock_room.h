/* SPDX-License-Identifier: MIT */
/* Locks between a registry and owners who keep what their tickets told them. */
#ifndef TESTS_COORDINATION_LOCK_ROOM_H
#define TESTS_COORDINATION_LOCK_ROOM_H

#include "world.h"

#include "coordination/locks.h"

#define TICK_MS 10 /* the clocks of time() and of the loop lag behind by a tick of the kernel */

/* What a ticket's owner was told; `order` counts those who were told before, of all owners. */
struct owner {
	struct lock_ticket *ticket;
	unsigned told, order;
	int result;
	struct lock_answer answer;
};

static unsigned n_told;

static inline int open_locks(void **state)
{
	struct world *w;

	assert_int_equal(world_open(state), 0);
	w = *state;
	n_told = 0;
	return locks_new(&w->c, &w->locks);
}

static inline int close_locks(void **state)
{
	locks_free(((struct world *)*state)->locks);
	return world_close(state);
}

static inline void restart(struct world *w)
{
	locks_free(w->locks);
	assert_int_equal(locks_new(&w->c, &w->locks), 0);
	assert_int_equal(locks_start(w->locks), 0);
	world_commit(w);
}

static inline struct lock wanted_by(const struct process_id *process, const char *holder)
{
	struct lock lock = { .name = "a", .owner = ANNE, .uid = ANNE, .comm = "node" };

	lock.process = *process;
	snprintf(lock.holder, sizeof(lock.holder), "%s", holder);
	return lock;
}

static inline struct lock wanted_by_child(const char *holder)
{
	const struct process_id child = child_new();

	return wanted_by(&child, holder);
}

static inline struct lock_key key(void)
{
	return lock_key_make("a", ANNE);
}

static inline int acquire(struct world *w, const struct lock *wanted, struct lock_answer *ret)
{
	int result = locks_acquire(w->locks, wanted, ret);

	world_commit(w);
	return result;
}

static inline int64_t grant(struct world *w, const struct lock *wanted)
{
	struct lock_answer answer;

	assert_int_equal(acquire(w, wanted, &answer), LOCK_GRANTED);
	return answer.lock.fence;
}

static inline bool held(struct world *w)
{
	struct lock lock;
	int r = locks_look(w->locks, key(), &lock);

	world_commit(w);
	assert_in_range(r, 0, OUTCOME_NO);
	return r == 0 && lock_is_held(&lock);
}

static inline void on_told(int result, const struct lock_answer *answer, void *user_data)
{
	struct owner *owner = user_data;

	owner->ticket = NULL;
	owner->told++;
	owner->order = n_told++;
	owner->result = result;
	if (result >= 0)
		owner->answer = *answer;
}

static inline void queue(struct world *w, const struct lock *wanted, int64_t wait_s,
			 struct owner *owner)
{
	struct lock_answer answer;

	assert_int_equal(locks_wait(w->locks, wanted, wait_s, on_told, owner, &answer),
			 LOCK_QUEUED);
	owner->ticket = answer.ticket;
}

static inline void wait_told(struct world *w, const struct owner *owner, int result)
{
	world_wait(w, owner->told);
	assert_int_equal(owner->told, 1);
	assert_int_equal(owner->result, result);
}

static inline void count(const struct lock *wanted, int64_t since, void *n)
{
	(*(size_t *)n)++;
}

static inline size_t waiting(struct world *w)
{
	size_t n = 0;

	locks_for_each_waiter(w->locks, key(), count, &n);
	return n;
}

#endif
