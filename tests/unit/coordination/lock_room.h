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

struct room {
	struct world *world;
	struct locks *locks;
};

static unsigned n_told;

static inline int open_room(void **state)
{
	struct room *room = calloc(1, sizeof(*room));
	void *world;

	assert_non_null(room);
	assert_int_equal(world_open(&world), 0);
	room->world = world;
	assert_int_equal(locks_new(&room->world->c, &room->locks), 0);
	*state = room;
	n_told = 0;
	return 0;
}

static inline int close_room(void **state)
{
	struct room *room = *state;
	void *world = room->world;

	locks_free(room->locks);
	free(room);
	return world_close(&world);
}

static inline void restart(struct room *room)
{
	locks_free(room->locks);
	assert_int_equal(locks_new(&room->world->c, &room->locks), 0);
	assert_int_equal(locks_start(room->locks), 0);
	world_commit(room->world);
}

static inline struct lock wanted_by(const struct process_id *process, const char *holder)
{
	struct lock lock = { .name = "a", .owner = ANNE, .uid = ANNE, .comm = "node" };

	lock.process = *process;
	snprintf(lock.holder, sizeof(lock.holder), "%s", holder);
	return lock;
}

static inline struct lock_key key(void)
{
	return lock_key_make("a", ANNE);
}

static inline int acquire(struct room *room, const struct lock *wanted, struct lock_answer *ret)
{
	int result = locks_acquire(room->locks, wanted, ret);

	world_commit(room->world);
	return result;
}

static inline int64_t grant(struct room *room, const struct lock *wanted)
{
	struct lock_answer answer;

	assert_int_equal(acquire(room, wanted, &answer), LOCK_GRANTED);
	return answer.lock.fence;
}

static inline bool held(struct room *room)
{
	struct lock lock;
	int r = locks_look(room->locks, key(), &lock);

	world_commit(room->world);
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

static inline void queue(struct room *room, const struct lock *wanted, int64_t wait_s,
			 struct owner *owner)
{
	struct lock_answer answer;

	assert_int_equal(locks_wait(room->locks, wanted, wait_s, on_told, owner, &answer),
			 LOCK_QUEUED);
	owner->ticket = answer.ticket;
}

static inline void wait_told(struct room *room, const struct owner *owner)
{
	world_wait(room->world, owner->told);
	assert_int_equal(owner->told, 1);
}

static inline void count(const struct lock *wanted, int64_t since, void *n)
{
	(*(size_t *)n)++;
}

static inline size_t waiting(struct room *room)
{
	size_t n = 0;

	locks_for_each_waiter(room->locks, key(), count, &n);
	return n;
}

#endif
