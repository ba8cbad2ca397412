/* SPDX-License-Identifier: MIT */
/* Events in any order leave a sound table.  PD_SEED repeats a run. */
#include "unit/inventory/table_world.h"

/* Events in any order, about any socket and process, must leave a table that hangs together. */
static void check_row(const struct socket_row *row)
{
	for (size_t i = 0; i < row->n_holders; i++) {
		assert_true(row->holders[i].fd_count >= row->holders[i].n_fds);
		if (i > 0)
			assert_true(row->holders[i - 1].id.start_ticks <=
				    row->holders[i].id.start_ticks);
	}
}

static bool check_each(const struct socket_row *row, void *user_data)
{
	struct world *w = user_data;

	check_row(row);
	for (size_t i = 0; i < row->n_holders; i++)
		assert_non_null(inventory_process(w->inv, &row->holders[i].id));
	if (row->binder.pid)
		assert_non_null(inventory_process(w->inv, &row->binder));
	return true;
}

static unsigned seed_of_test(void)
{
	const char *text = getenv("PD_SEED");
	unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)time(NULL);

	printf("# PD_SEED=%u\n", seed);
	return seed;
}

static void any_order_of_events_leaves_a_sound_table(void **state)
{
	static const enum event_kind kinds[] = { EVENT_PROCESS,	 EVENT_BIND,  EVENT_LISTEN,
						 EVENT_UNLISTEN, EVENT_CLOSE, EVENT_FORK,
						 EVENT_EXEC,	 EVENT_EXIT };
	struct world *w = *state;
	unsigned seed = seed_of_test();

	for (int i = 0; i < 20000; i++) {
		enum event_kind kind = kinds[(unsigned)rand_r(&seed) % ARRAY_SIZE(kinds)];
		unsigned actor = 1 + (unsigned)rand_r(&seed) % 12;
		struct event e = kind == EVENT_PROCESS ? process_event(actor, "/")
						       : event_of(kind, actor);
		bool again;

		e.actor.start_ticks += (unsigned)rand_r(&seed) % 2;
		e.child = fake_id(1 + (unsigned)rand_r(&seed) % 12);
		e.cookie = 1 + (unsigned)rand_r(&seed) % 8;
		e.inode = (unsigned)rand_r(&seed) % 5;
		e.netns = FAKE_NETNS;
		e.protocol = (unsigned)rand_r(&seed) % 3 ? IPPROTO_TCP : MPTCP;
		e.family = AF_INET;
		e.port = (uint16_t)(PORT + (unsigned)rand_r(&seed) % 3);
		apply(w, e);
		if ((unsigned)rand_r(&seed) % 16 == 0) {
			w->fake.n_fds = 0;
			for (int j = 0; j < 4; j++)
				fake_hold(&w->fake, fake_id(1 + (unsigned)rand_r(&seed) % 12),
					  1 + (unsigned)rand_r(&seed) % 8, 3, 1);
			assert_int_equal(inventory_settle(w->inv, NOW, count_change, w, &again), 0);
		}
		if ((unsigned)rand_r(&seed) % 512 == 0)
			resync(w);
		inventory_for_each(w->inv, check_each, w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(any_order_of_events_leaves_a_sound_table),
	};

	return cmocka_run_group_tests_name("inventory table worlds", tests, NULL, NULL);
}
