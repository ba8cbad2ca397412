/* SPDX-License-Identifier: MIT */
/* Events in any order leave a sound table.  PD_SEED repeats a run. */
#include "unit/inventory/sound_table.h"
#include "unit/inventory/table_world.h"
#include "unit/random.h"

static void check_all(struct world *w)
{
	const char *fault = table_fault(w->inv);

	if (fault)
		fail_msg("%s", fault);
}

TEST_WITH(any_order_of_events_leaves_a_sound_table, struct world *w)
{
	static const enum event_kind kinds[] = { EVENT_PROCESS,	 EVENT_BIND,  EVENT_LISTEN,
						 EVENT_UNLISTEN, EVENT_CLOSE, EVENT_FORK,
						 EVENT_EXEC,	 EVENT_EXIT };
	struct random_source random = random_start(__func__);

	for (int i = 0; i < 20000; i++) {
		enum event_kind kind = kinds[random_below(&random, ARRAY_SIZE(kinds))];
		unsigned actor = 1 + random_below(&random, 12);
		struct event e = kind == EVENT_PROCESS ? process_event(actor, "/")
						       : event_of(kind, actor);
		bool again;

		e.actor.start_ticks += random_below(&random, 2);
		e.child = fake_id(1 + random_below(&random, 12));
		e.cookie = 1 + random_below(&random, 8);
		e.inode = random_below(&random, 5);
		e.netns = FAKE_NETNS;
		e.protocol = random_below(&random, 3) ? IPPROTO_TCP : MPTCP;
		e.family = AF_INET;
		e.port = (uint16_t)(PORT + random_below(&random, 3));
		apply(w, e);
		if (random_below(&random, 16) == 0) {
			w->fake.n_fds = 0;
			for (int j = 0; j < 4; j++)
				fake_hold(&w->fake, fake_id(1 + random_below(&random, 12)),
					  1 + random_below(&random, 8), 3, 1);
			assert_int_equal(inventory_settle(w->inv, NOW, count_change, w, &again), 0);
		}
		if (random_below(&random, 512) == 0)
			resync(w);
		check_all(w);
	}
}

EACH_TEST_MAIN(setup, teardown)
