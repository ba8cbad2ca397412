/* SPDX-License-Identifier: MIT */
/* Events of sockets applied to the table: what makes a row, moves it and ends it. */
#include "unit/inventory/table_world.h"

/* --- sockets --- */

TEST_WITH(bind_makes_a_row_whose_binder_and_holder_is_the_actor, struct world *w)
{
	const struct socket_row *row;
	struct process_id actor = fake_id(1);

	apply(w, socket_event(EVENT_BIND, 1, 10, PORT));
	row = only_row(w);
	assert_int_equal(row->state, SOCKET_BOUND);
	assert_true(process_id_equal(&row->binder, &actor));
	assert_holders(row, 1, (unsigned[]){ 1 });
	assert_int_equal(row->since, NOW);
	assert_int_equal(row->binder_fate, BINDER_ALIVE);
	assert_int_equal(w->changes, 1);
}

TEST_WITH(listen_turns_the_bound_row_into_a_listener, struct world *w)
{
	apply(w, socket_event(EVENT_BIND, 1, 10, PORT));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
	assert_int_equal(inventory_count(w->inv), 1);
}

TEST_WITH(listen_without_bind_makes_the_row, struct world *w)
{
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
	assert_int_equal(only_row(w)->inode, 1010);
}

TEST_WITH(listen_moves_a_row_to_the_port_that_the_kernel_chose, struct world *w)
{
	apply(w, socket_event(EVENT_BIND, 1, 10, 0));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->port, PORT);
	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, 0, NULL, 0), 0);
}

TEST_WITH(a_late_bind_does_not_unlisten, struct world *w)
{
	start_server(w);
	apply(w, socket_event(EVENT_BIND, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
}

TEST_WITH(unlisten_leaves_the_socket_bound, struct world *w)
{
	start_server(w);
	apply(w, socket_event(EVENT_UNLISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_BOUND);
	assert_int_equal(w->changes, 1);
}

TEST_WITH(close_removes_the_row_and_a_late_unlisten_is_ignored, struct world *w)
{
	start_server(w);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	assert_no_row(w);
	assert_int_equal(w->changes, 1);
	apply(w, socket_event(EVENT_UNLISTEN, 1, 10, PORT));
	assert_no_row(w);
	assert_int_equal(w->changes, 1);
}

TEST_WITH(a_refused_bind_changes_nothing, struct world *w)
{
	struct event e = socket_event(EVENT_FAIL, 2, 11, PORT);

	start_server(w);
	e.error = EADDRINUSE;
	apply(w, e);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(w->changes, 0);
}

TEST_WITH(an_unknown_kind_of_event_is_refused, struct world *w)
{
	struct event e = { .kind = _EVENT_KIND_MAX };

	assert_int_equal(inventory_apply(w->inv, &e, NOW, count_change, w, &w->settle), -EINVAL);
}

TEST_WITH(a_port_has_separate_rows_in_each_namespace, struct world *w)
{
	struct event e = socket_event(EVENT_LISTEN, 2, 11, PORT);

	start_server(w);
	e.netns = FAKE_NETNS + 1;
	apply(w, e);
	only_row(w);
	assert_int_equal(inventory_by_port(w->inv, 0, PORT, NULL, SIZE_MAX), 2);
}

TEST_WITH(a_reused_inode_replaces_the_row_whose_close_was_lost, struct world *w)
{
	struct event e = socket_event(EVENT_LISTEN, 2, 99, PORT);

	start_server(w);
	e.inode = 1010;
	apply(w, e);
	assert_int_equal(only_row(w)->cookie, 99);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
}

static bool in_order(const struct socket_row *row, void *user_data)
{
	uint64_t *last = user_data, key = (uint64_t)row->port << 32 | row->cookie;

	assert_true(key > *last);
	*last = key;
	return true;
}

TEST_WITH(rows_are_visited_by_port_then_cookie, struct world *w)
{
	uint64_t last = 0;

	apply(w, socket_event(EVENT_LISTEN, 1, 30, 4000));
	apply(w, socket_event(EVENT_LISTEN, 1, 20, PORT));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	inventory_for_each(w->inv, NULL, in_order, &last);
	assert_int_equal(last, 4000ULL << 32 | 30);
}

TEST_WITH(a_walk_goes_on_behind_a_row_that_is_gone, struct world *w)
{
	struct inventory_place place = { 0 };

	for (uint64_t cookie = 10; cookie <= 14; cookie++)
		apply(w, socket_event(EVENT_LISTEN, 1, cookie, cookie < 13 ? PORT : UINT16_MAX));
	assert_int_equal(inventory_next(w->inv, &place)->cookie, 10);
	assert_int_equal(inventory_next(w->inv, &place)->cookie, 11);
	apply(w, socket_event(EVENT_CLOSE, 1, 11, PORT));
	apply(w, socket_event(EVENT_CLOSE, 1, 12, PORT));
	assert_int_equal(inventory_next(w->inv, &place)->cookie, 13);
	assert_int_equal(inventory_next(w->inv, &place)->cookie, 14);
	assert_null(inventory_next(w->inv, &place));
	assert_int_equal(place.cookie, 14);
}

/* --- MPTCP --- */

static void assert_one_mptcp_row(struct world *w)
{
	assert_int_equal(inventory_count(w->inv), 1);
	assert_int_equal(only_row(w)->cookie, 10);
	assert_int_equal(only_row(w)->protocol, MPTCP);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
}

static struct event mptcp_event(enum event_kind kind, uint64_t inode)
{
	struct event e = socket_event(kind, 1, 50, PORT);

	e.protocol = MPTCP;
	e.inode = inode;
	return e;
}

TEST_WITH(mptcp_socket_joins_its_subflow_by_inode, struct world *w)
{
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	apply(w, mptcp_event(EVENT_LISTEN, 1010));
	assert_one_mptcp_row(w);
	apply(w, mptcp_event(EVENT_CLOSE, 0));
	assert_no_row(w);
}

TEST_WITH(subflow_takes_over_the_row_of_its_mptcp_socket, struct world *w)
{
	apply(w, mptcp_event(EVENT_LISTEN, 1010));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_one_mptcp_row(w);
	apply(w, mptcp_event(EVENT_CLOSE, 0));
	assert_no_row(w);
}

TEST_WITH(mptcp_halves_that_learn_their_inode_late_become_one_row, struct world *w)
{
	struct event e = socket_event(EVENT_BIND, 1, 10, PORT);

	e.inode = 0;
	apply(w, e);
	apply(w, mptcp_event(EVENT_BIND, 0));
	assert_int_equal(inventory_count(w->inv), 2);
	apply(w, mptcp_event(EVENT_LISTEN, 1010));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_one_mptcp_row(w);
}

TEST_WITH(close_of_an_mptcp_socket_never_seen_is_joined_by_inode, struct world *w)
{
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	apply(w, mptcp_event(EVENT_CLOSE, 1010));
	assert_no_row(w);
}

TEST_WITH(all_sockets_of_a_port_are_verified, struct world *w)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;

	for (unsigned i = 1; i <= 5; i++) {
		apply(w, process_event(i, "/home/app"));
		apply(w, socket_event(EVENT_LISTEN, i, 10 + i, PORT));
		fake_hold(&w->fake, fake_id(i), 10 + i, 3, 1);
	}
	assert_int_equal(inventory_verified_rows(w->inv, FAKE_NETNS, PORT, &rows, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rows[i]->cookie, 11 + i);
}

EACH_TEST_MAIN(setup, teardown)
