/* SPDX-License-Identifier: MIT */
/* A table of sockets over a kernel that answers from prepared records, and what it counts. */
#ifndef TESTS_UNIT_INVENTORY_TABLE_WORLD_H
#define TESTS_UNIT_INVENTORY_TABLE_WORLD_H

#include <time.h>

#include "inventory/table.h"
#include "testing.h"
#include "unit/inventory/fake.h"

#define PORT	   3000
#define NOW	   1700000000
#define DEADLINE_S 10
#define MPTCP	   262

struct world {
	struct fake fake;
	struct inventory *inv;
	unsigned changes;
	uint16_t last_port;
	bool settle;
};

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct kernel_source source = fake_source(&w->fake);

	*state = w;
	return inventory_new(&source, &w->inv);
}

/* The same table over another kernel; it begins empty. */
static inline void use_source(struct world *w, const struct kernel_source *source)
{
	inventory_free(w->inv);
	assert_int_equal(inventory_new(source, &w->inv), 0);
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	inventory_free(w->inv);
	free(w);
	return 0;
}

static inline void count_change(uint32_t netns, uint16_t port, void *user_data)
{
	struct world *w = user_data;

	if (netns != FAKE_NETNS)
		return;
	w->changes++;
	w->last_port = port;
}

static inline void apply(struct world *w, struct event e)
{
	assert_int_equal(inventory_apply(w->inv, &e, NOW, count_change, w, &w->settle), 0);
}

/* Settles until nothing is left open; how often it took. */
static inline unsigned settle(struct world *w)
{
	unsigned n = 0;
	bool again = true;

	AWAIT(!again, n++;
	      assert_int_equal(inventory_settle(w->inv, NOW, count_change, w, &again), 0));
	return n;
}

static inline const struct socket_row *only_row(struct world *w)
{
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, PORT, &row, 1), 1);
	return row;
}

/* What the table knows of process n; NULL: nothing. */
static inline const struct process *known(const struct world *w, unsigned n)
{
	const struct process_id id = fake_id(n);

	return inventory_process(w->inv, &id);
}

static inline void assert_no_row(struct world *w)
{
	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, PORT, NULL, 0), 0);
}

static inline void assert_holders(const struct socket_row *row, size_t n, const unsigned *who)
{
	assert_int_equal(row->n_holders, n);
	for (size_t i = 0; i < n; i++) {
		struct process_id id = fake_id(who[i]);

		assert_true(process_id_equal(&row->holders[i].id, &id));
	}
}

/* A server, process 1, listens; its descriptor is 3. */
static inline void start_server(struct world *w)
{
	apply(w, process_event(1, "/home/app"));
	apply(w, socket_event(EVENT_BIND, 1, 10, PORT));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	w->changes = 0;
}

static inline void resync(struct world *w)
{
	w->changes = 0;
	assert_int_equal(inventory_resync(w->inv, NOW + 100, count_change, w), 0);
}

#endif
