/* SPDX-License-Identifier: MIT */
/* Events in any order leave a sound table.  PD_SEED repeats a run. */
#include "inventory/internal.h"
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

/* The row and the processes that it names know each other's place, and its sums are right. */
static void check_links(const struct table *t, const struct row *row)
{
	uint32_t found = 0, looked = 0;

	for (size_t i = 0; i < row->view.n_holders; i++) {
		const struct holder *holder = &row->view.holders[i];
		const struct proc *proc = table_proc(t, &holder->id);

		assert_non_null(proc);
		assert_true(holder->link < proc->n_rows);
		assert_ptr_equal(proc->rows[holder->link], row);
		found += holder->n_fds ? holder->fd_count : 0;
		looked += holder->n_fds > 0;
	}
	assert_int_equal(row->found_fds, found);
	assert_int_equal(row->n_looked, looked);
	if (row->view.binder.pid)
		assert_ptr_equal(table_proc(t, &row->view.binder)->rows[row->binder_link], row);
}

static void check_all(struct world *w)
{
	struct inventory_place place = { 0 }, last = { 0 };
	const struct socket_row *row;
	size_t n = 0;

	for (; (row = inventory_next(w->inv, &place)); last = place, n++) {
		check_row(row);
		check_links(w->inv->table, table_find(w->inv->table, row->cookie));
		assert_true(place.port > last.port ||
			    (place.port == last.port && place.cookie > last.cookie));
	}
	assert_int_equal(n, inventory_count(w->inv));
}

static unsigned seed_of_test(void)
{
	const char *text = getenv("PD_SEED");
	unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)time(NULL);

	printf("# PD_SEED=%u\n", seed);
	return seed;
}

TEST_WITH(any_order_of_events_leaves_a_sound_table, struct world *w)
{
	static const enum event_kind kinds[] = { EVENT_PROCESS,	 EVENT_BIND,  EVENT_LISTEN,
						 EVENT_UNLISTEN, EVENT_CLOSE, EVENT_FORK,
						 EVENT_EXEC,	 EVENT_EXIT };
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
		check_all(w);
	}
}

EACH_TEST_MAIN(setup, teardown)
