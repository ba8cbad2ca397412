/* SPDX-License-Identifier: MIT */
/* Events applied to the table, with a kernel that answers from prepared records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "inventory/table.h"
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

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct holder_source source = fake_source(&w->fake);

	*state = w;
	return inventory_new(&source, &w->inv);
}

static int teardown(void **state)
{
	struct world *w = *state;

	inventory_free(w->inv);
	free(w);
	return 0;
}

static void count_change(uint32_t netns, uint16_t port, void *user_data)
{
	struct world *w = user_data;

	if (netns != FAKE_NETNS)
		return;
	w->changes++;
	w->last_port = port;
}

static void apply(struct world *w, struct event e)
{
	assert_int_equal(inventory_apply(w->inv, &e, NOW, count_change, w, &w->settle), 0);
}

/* Settles until nothing is left open; how often it took. */
static unsigned settle(struct world *w)
{
	time_t deadline = time(NULL) + DEADLINE_S;
	unsigned n = 0;
	bool again = true;

	for (; again; n++) {
		assert_int_equal(inventory_settle(w->inv, NOW, count_change, w, &again), 0);
		assert_true(time(NULL) < deadline);
	}
	return n;
}

static const struct socket_row *only_row(struct world *w)
{
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, PORT, &row, 1), 1);
	return row;
}

static void assert_no_row(struct world *w)
{
	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, PORT, NULL, 0), 0);
}

static void assert_holders(const struct socket_row *row, size_t n, const unsigned *who)
{
	assert_int_equal(row->n_holders, n);
	for (size_t i = 0; i < n; i++) {
		struct process_id id = fake_id(who[i]);

		assert_true(process_id_equal(&row->holders[i].id, &id));
	}
}

/* A server, process 1, listens; its descriptor is 3. */
static void start_server(struct world *w)
{
	apply(w, process_event(1, "/home/app"));
	apply(w, socket_event(EVENT_BIND, 1, 10, PORT));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	w->changes = 0;
}

/* --- sockets --- */

static void bind_makes_a_row_whose_binder_and_holder_is_the_actor(void **state)
{
	struct world *w = *state;
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

static void listen_turns_the_bound_row_into_a_listener(void **state)
{
	struct world *w = *state;

	apply(w, socket_event(EVENT_BIND, 1, 10, PORT));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
	assert_int_equal(inventory_count(w->inv), 1);
}

static void listen_without_bind_makes_the_row(void **state)
{
	struct world *w = *state;

	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
	assert_int_equal(only_row(w)->inode, 1010);
}

static void listen_moves_a_row_to_the_port_that_the_kernel_chose(void **state)
{
	struct world *w = *state;

	apply(w, socket_event(EVENT_BIND, 1, 10, 0));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->port, PORT);
	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, 0, NULL, 0), 0);
}

static void a_late_bind_does_not_unlisten(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, socket_event(EVENT_BIND, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
}

static void unlisten_leaves_the_socket_bound(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, socket_event(EVENT_UNLISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_BOUND);
	assert_int_equal(w->changes, 1);
}

static void close_removes_the_row_and_a_late_unlisten_is_ignored(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	assert_no_row(w);
	assert_int_equal(w->changes, 1);
	apply(w, socket_event(EVENT_UNLISTEN, 1, 10, PORT));
	assert_no_row(w);
	assert_int_equal(w->changes, 1);
}

static void a_refused_bind_changes_nothing(void **state)
{
	struct world *w = *state;
	struct event e = socket_event(EVENT_FAIL, 2, 11, PORT);

	start_server(w);
	e.error = EADDRINUSE;
	apply(w, e);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(w->changes, 0);
}

static void an_unknown_kind_of_event_is_refused(void **state)
{
	struct world *w = *state;
	struct event e = { .kind = _EVENT_KIND_MAX };

	assert_int_equal(inventory_apply(w->inv, &e, NOW, count_change, w, &w->settle), -EINVAL);
}

static void a_port_has_separate_rows_in_each_namespace(void **state)
{
	struct world *w = *state;
	struct event e = socket_event(EVENT_LISTEN, 2, 11, PORT);

	start_server(w);
	e.netns = FAKE_NETNS + 1;
	apply(w, e);
	only_row(w);
	assert_int_equal(inventory_by_port(w->inv, 0, PORT, NULL, 0), 2);
}

static void a_reused_inode_replaces_the_row_whose_close_was_lost(void **state)
{
	struct world *w = *state;
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

static void rows_are_visited_by_port_then_cookie(void **state)
{
	struct world *w = *state;
	uint64_t last = 0;

	apply(w, socket_event(EVENT_LISTEN, 1, 30, 4000));
	apply(w, socket_event(EVENT_LISTEN, 1, 20, PORT));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	inventory_for_each(w->inv, in_order, &last);
	assert_int_equal(last, 4000ULL << 32 | 30);
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

static void mptcp_socket_joins_its_subflow_by_inode(void **state)
{
	struct world *w = *state;

	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	apply(w, mptcp_event(EVENT_LISTEN, 1010));
	assert_one_mptcp_row(w);
	apply(w, mptcp_event(EVENT_CLOSE, 0));
	assert_no_row(w);
}

static void subflow_takes_over_the_row_of_its_mptcp_socket(void **state)
{
	struct world *w = *state;

	apply(w, mptcp_event(EVENT_LISTEN, 1010));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_one_mptcp_row(w);
	apply(w, mptcp_event(EVENT_CLOSE, 0));
	assert_no_row(w);
}

static void mptcp_halves_that_learn_their_inode_late_become_one_row(void **state)
{
	struct world *w = *state;
	struct event e = socket_event(EVENT_BIND, 1, 10, PORT);

	e.inode = 0;
	apply(w, e);
	apply(w, mptcp_event(EVENT_BIND, 0));
	assert_int_equal(inventory_count(w->inv), 2);
	apply(w, mptcp_event(EVENT_LISTEN, 1010));
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_one_mptcp_row(w);
}

static void close_of_an_mptcp_socket_never_seen_is_joined_by_inode(void **state)
{
	struct world *w = *state;

	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	apply(w, mptcp_event(EVENT_CLOSE, 1010));
	assert_no_row(w);
}

/* --- processes --- */

static void a_process_is_known_by_pid_and_start(void **state)
{
	struct world *w = *state;
	struct process_id id = fake_id(1);

	start_server(w);
	assert_string_equal(inventory_process(w->inv, &id)->cwd, "/home/app");
	assert_int_equal(only_row(w)->binder_sid, 42);
	id.start_ticks++;
	assert_null(inventory_process(w->inv, &id));
}

static void a_process_without_sockets_is_remembered_for_its_next_one(void **state)
{
	struct world *w = *state;
	struct process_id id = fake_id(1);

	start_server(w);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	assert_non_null(inventory_process(w->inv, &id));
}

static void processes_without_sockets_do_not_pile_up(void **state)
{
	struct world *w = *state;
	struct process_id first = fake_id(1);

	for (unsigned i = 1; i < 2000; i++)
		apply(w, process_event(i, "/"));
	assert_null(inventory_process(w->inv, &first));
	first = fake_id(1999);
	assert_non_null(inventory_process(w->inv, &first));
}

static void a_holder_is_never_forgotten(void **state)
{
	struct world *w = *state;
	struct process_id id = fake_id(1);

	start_server(w);
	for (unsigned i = 2; i < 2000; i++)
		apply(w, process_event(i, "/"));
	assert_non_null(inventory_process(w->inv, &id));
}

static void fork_makes_a_candidate_that_the_look_confirms(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, fork_event(1, 2));
	assert_true(w->settle);
	assert_holders(only_row(w), 2, (unsigned[]){ 1, 2 });
	assert_int_equal(only_row(w)->holders[1].n_fds, 0);

	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	fake_hold(&w->fake, fake_id(2), 10, 5, 2);
	settle(w);
	assert_holders(only_row(w), 2, (unsigned[]){ 1, 2 });
	assert_int_equal(only_row(w)->holders[1].fds[0], 5);
	assert_true(only_row(w)->complete);
	assert_int_equal(w->fake.passes, 0);
	assert_true(w->changes > 0);
}

static void a_child_that_closed_the_socket_is_dropped_and_not_watched(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, fork_event(1, 2));
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 2;
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(w->fake.tracked[2], -1);
}

static void a_childs_ancestry_outlives_its_parent(void **state)
{
	struct world *w = *state;
	struct process_id child = fake_id(2), parent = fake_id(1);
	const struct process *process;

	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	apply(w, fork_event(1, 2));
	apply(w, exit_event(1, 0));
	settle(w);
	process = inventory_process(w->inv, &child);
	assert_int_equal(process->n_ancestors, 3);
	assert_true(process_id_equal(&process->ancestors[0].id, &parent));
	assert_string_equal(process->ancestors[1].comm, "bash");
	assert_string_equal(process->cwd, "/home/app");
}

static void a_reparented_process_keeps_its_chain(void **state)
{
	struct world *w = *state;
	struct event e = process_event(1, "/srv");
	struct process_id id = fake_id(1);

	start_server(w);
	e.process.n_ancestors = 1;
	e.process.ancestors[0] = e.process.ancestors[1];
	apply(w, e);
	assert_int_equal(inventory_process(w->inv, &id)->n_ancestors, 2);
	assert_string_equal(inventory_process(w->inv, &id)->cwd, "/srv");
}

static void exec_with_close_on_exec_drops_the_holder(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, fork_event(1, 2));
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	fake_hold(&w->fake, fake_id(2), 10, 3, 2);
	settle(w);
	w->fake.n_fds = 0;
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 2;
	apply(w, event_of(EVENT_EXEC, 2));
	assert_true(w->settle);
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
}

static void exit_tells_how_the_binder_went(void **state)
{
	static const struct {
		int code;
		enum binder_fate fate;
	} cases[] = { { 0, BINDER_EXITED_WELL },
		      { 1 << 8, BINDER_EXITED_BADLY },
		      { 9, BINDER_EXITED_BADLY } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = *state;

		start_server(w);
		apply(w, fork_event(1, 2));
		apply(w, exit_event(1, cases[i].code));
		assert_int_equal(only_row(w)->binder_fate, cases[i].fate);
		assert_holders(only_row(w), 1, (unsigned[]){ 2 });
		teardown(state);
		assert_int_equal(setup(state), 0);
	}
}

static void exit_then_close_leaves_nothing_to_settle(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, exit_event(1, 9));
	assert_true(w->settle);
	assert_int_equal(only_row(w)->n_holders, 0);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	assert_int_equal(settle(w), 1);
	assert_int_equal(w->fake.looks + w->fake.passes, 0);
}

static void a_full_pass_finds_the_heir_that_nobody_announced(void **state)
{
	struct world *w = *state;

	start_server(w);
	fake_hold(&w->fake, fake_id(3), 10, 7, 1);
	apply(w, exit_event(1, 9));
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 3 });
	assert_true(only_row(w)->complete);
	assert_int_equal(w->fake.passes, 1);
	assert_int_equal(w->fake.tracked[3], 1);
}

static void a_socket_that_nothing_shows_any_more_is_given_up(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, exit_event(1, 9));
	settle(w);
	assert_no_row(w);
	assert_in_range(w->fake.passes, 1, 3);
}

static void passes_for_one_row_keep_their_distance(void **state)
{
	struct world *w = *state;
	bool again;

	start_server(w);
	apply(w, exit_event(1, 9));
	for (int i = 0; i < 20; i++)
		assert_int_equal(inventory_settle(w->inv, NOW, count_change, w, &again), 0);
	assert_int_equal(w->fake.passes, 1);
	assert_true(again);
}

static void an_unexplained_reference_costs_one_pass_only(void **state)
{
	struct world *w = *state;

	start_server(w);
	fake_hold(&w->fake, fake_id(1), 10, 3, 3);
	fake_hold(&w->fake, fake_id(2), 10, 3, 3);
	apply(w, fork_event(1, 2));
	settle(w);
	assert_int_equal(w->fake.passes, 1);
	assert_false(only_row(w)->complete);
	apply(w, event_of(EVENT_EXEC, 2));
	settle(w);
	assert_int_equal(w->fake.passes, 1);
}

static void a_reused_pid_is_not_taken_for_the_holder(void **state)
{
	struct world *w = *state;
	struct process_id heir = fake_id(2), other = heir;

	start_server(w);
	apply(w, fork_event(1, 2));
	other.start_ticks += 500;
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	fake_hold(&w->fake, other, 10, 3, 2);
	settle(w);
	assert_int_equal(only_row(w)->n_holders, 2);
	assert_false(process_id_equal(&only_row(w)->holders[1].id, &heir));
	assert_true(process_id_equal(&only_row(w)->holders[1].id, &other));
}

static void a_parent_that_closed_its_copy_is_noticed_by_the_count(void **state)
{
	struct world *w = *state;

	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 1;
	apply(w, fork_event(1, 2));
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
	assert_int_equal(only_row(w)->binder_fate, BINDER_ALIVE);
	assert_int_equal(only_row(w)->binder.pid, FAKE_PID + 1);
}

static void verifying_a_port_reads_descriptor_numbers(void **state)
{
	struct world *w = *state;

	start_server(w);
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	fake_hold(&w->fake, fake_id(1), 10, 4, 2);
	assert_int_equal(inventory_verify_port(w->inv, FAKE_NETNS, PORT), 0);
	assert_int_equal(only_row(w)->holders[0].fd_count, 2);
	assert_int_equal(only_row(w)->holders[0].fds[1], 4);
	assert_true(only_row(w)->complete);
}

static void close_and_fork_on_and_on(struct world *w)
{
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	for (int i = 0; i <= PROC_IDLE_FORKS_MAX; i++)
		apply(w, fork_event(1, 2));
}

static void a_closed_server_that_forks_on_and_on_is_not_watched(void **state)
{
	struct world *w = *state;

	start_server(w);
	close_and_fork_on_and_on(w);
	assert_int_equal(w->fake.tracked[1], -1);
}

static void a_child_of_a_closed_server_remembers_its_dead_parent(void **state)
{
	struct world *w = *state;
	struct process_id child = fake_id(2), parent = fake_id(1);
	const struct process *process;

	start_server(w);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	apply(w, fork_event(1, 2));
	apply(w, exit_event(1, 0));
	process = inventory_process(w->inv, &child);
	assert_non_null(process);
	assert_int_equal(process->ppid, parent.pid);
	assert_true(process_id_equal(&process->ancestors[0].id, &parent));
}

static void a_closed_server_that_binds_again_is_watched_again(void **state)
{
	struct world *w = *state;

	start_server(w);
	close_and_fork_on_and_on(w);
	assert_int_equal(w->fake.tracked[1], -1);
	apply(w, socket_event(EVENT_BIND, 1, 11, PORT));
	assert_int_equal(w->fake.tracked[1], 0);
}

static void a_holder_stays_until_its_end_is_told(void **state)
{
	struct world *w = *state;

	start_server(w);
	assert_int_equal(inventory_look_at_port(w->inv, FAKE_NETNS, PORT), 0);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	apply(w, exit_event(1, 9));
	assert_holders(only_row(w), 0, NULL);
}

static void a_holder_that_closes_its_descriptors_at_its_end_stays_until_that_is_told(void **state)
{
	struct world *w = *state;

	start_server(w);
	w->fake.ending = fake_id(1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 1;
	assert_int_equal(inventory_look_at_port(w->inv, FAKE_NETNS, PORT), 0);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
}

static void an_end_that_is_never_told_is_noticed_in_the_end(void **state)
{
	struct world *w = *state;

	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	apply(w, fork_event(1, 2));
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
}

static void a_socket_is_undecided_while_its_process_ends(void **state)
{
	struct world *w = *state;
	bool again;

	start_server(w);
	w->fake.ending = fake_id(1);
	apply(w, exit_event(1, 9));
	for (int i = 0; i < 20; i++)
		assert_int_equal(inventory_settle(w->inv, NOW, count_change, w, &again), 0);
	assert_true(again);
	assert_true(only_row(w)->undecided);
	assert_int_equal(only_row(w)->leaving.pid, FAKE_PID + 1);
	assert_int_equal(w->fake.passes, 0);
}

static void a_socket_with_an_heir_is_decided_at_once(void **state)
{
	struct world *w = *state;

	start_server(w);
	fake_hold(&w->fake, fake_id(3), 10, 7, 1);
	apply(w, exit_event(1, 9));
	assert_true(only_row(w)->undecided);
	settle(w);
	assert_false(only_row(w)->undecided);
}

static void a_bind_that_its_exit_overtook_has_no_holder(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, exit_event(1, 0));
	apply(w, socket_event(EVENT_BIND, 1, 11, 3001));
	assert_true(w->settle);
	settle(w);
	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, 3001, NULL, 0), 0);
}

/* --- resync --- */

static void resync(struct world *w)
{
	w->changes = 0;
	assert_int_equal(inventory_resync(w->inv, NOW + 100, count_change, w), 0);
}

static void resync_makes_rows_with_holders_and_processes(void **state)
{
	struct world *w = *state;
	struct process_id id = fake_id(1);

	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	resync(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
	assert_int_equal(only_row(w)->since, 0);
	assert_int_equal(only_row(w)->seen, NOW + 100);
	assert_true(only_row(w)->complete);
	assert_string_equal(inventory_process(w->inv, &id)->exe, "/usr/bin/server");
	assert_string_equal(inventory_process(w->inv, &id)->cwd, "/home/app");
	assert_int_equal(w->fake.tracked[1], 1);
	assert_true(w->fake.tracked_sockets > 0);
	assert_int_equal(w->changes, 1);
}

static void a_second_resync_changes_and_tracks_nothing(void **state)
{
	struct world *w = *state;

	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	resync(w);
	resync(w);
	assert_int_equal(w->changes, 0);
	assert_int_equal(w->fake.tracked[1], 1);
}

static void resync_keeps_what_events_taught(void **state)
{
	struct world *w = *state;

	start_server(w);
	apply(w, fork_event(1, 2));
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	apply(w, exit_event(1, 0));
	resync(w);
	assert_int_equal(only_row(w)->since, NOW);
	assert_int_equal(only_row(w)->binder.pid, FAKE_PID + 1);
	assert_int_equal(only_row(w)->binder_sid, 42);
	assert_int_equal(only_row(w)->binder_fate, BINDER_EXITED_WELL);
	assert_string_equal(inventory_process(w->inv, &only_row(w)->binder)->comm, "server");
}

static void resync_drops_rows_whose_close_was_lost(void **state)
{
	struct world *w = *state;

	start_server(w);
	resync(w);
	assert_no_row(w);
	assert_int_equal(w->changes, 1);
	assert_int_equal(w->last_port, PORT);
}

static void resync_notices_a_binder_whose_exit_was_lost(void **state)
{
	struct world *w = *state;

	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	resync(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
	assert_int_equal(only_row(w)->binder_fate, BINDER_GONE);
	assert_int_equal(w->changes, 1);
}

static void the_oldest_holder_stands_for_an_unknown_binder(void **state)
{
	struct world *w = *state;

	fake_hold(&w->fake, fake_id(2), 10, 3, 2);
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	resync(w);
	assert_int_equal(only_row(w)->binder.pid, FAKE_PID + 1);
	apply(w, exit_event(1, 0));
	assert_int_equal(only_row(w)->binder_fate, BINDER_EXITED_WELL);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
}

static void connections_in_a_pass_make_no_rows(void **state)
{
	struct world *w = *state;

	w->fake.tcp_state = 1;
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	resync(w);
	assert_no_row(w);
}

static int broken_pass(void *user_data)
{
	int fd = memfd_create("pass", MFD_CLOEXEC);

	if (write(fd, "not a record of ours, but long enough to have a head, surely", 60) < 0)
		return -EIO;
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void a_failed_resync_leaves_the_table(void **state)
{
	struct world *w = *state;
	struct holder_source source = fake_source(&w->fake);

	inventory_free(w->inv);
	source.open_pass = broken_pass;
	assert_int_equal(inventory_new(&source, &w->inv), 0);
	start_server(w);
	assert_int_equal(inventory_resync(w->inv, NOW, count_change, w), -EBADMSG);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(w->changes, 0);
}

/* --- random worlds --- */

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

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bind_makes_a_row_whose_binder_and_holder_is_the_actor),
		T(listen_turns_the_bound_row_into_a_listener),
		T(listen_without_bind_makes_the_row),
		T(listen_moves_a_row_to_the_port_that_the_kernel_chose),
		T(a_late_bind_does_not_unlisten),
		T(unlisten_leaves_the_socket_bound),
		T(close_removes_the_row_and_a_late_unlisten_is_ignored),
		T(a_refused_bind_changes_nothing),
		T(an_unknown_kind_of_event_is_refused),
		T(a_port_has_separate_rows_in_each_namespace),
		T(a_reused_inode_replaces_the_row_whose_close_was_lost),
		T(rows_are_visited_by_port_then_cookie),
		T(mptcp_socket_joins_its_subflow_by_inode),
		T(subflow_takes_over_the_row_of_its_mptcp_socket),
		T(mptcp_halves_that_learn_their_inode_late_become_one_row),
		T(close_of_an_mptcp_socket_never_seen_is_joined_by_inode),
		T(a_process_is_known_by_pid_and_start),
		T(a_process_without_sockets_is_remembered_for_its_next_one),
		T(processes_without_sockets_do_not_pile_up),
		T(a_holder_is_never_forgotten),
		T(fork_makes_a_candidate_that_the_look_confirms),
		T(a_child_that_closed_the_socket_is_dropped_and_not_watched),
		T(a_childs_ancestry_outlives_its_parent),
		T(a_reparented_process_keeps_its_chain),
		T(exec_with_close_on_exec_drops_the_holder),
		T(exit_tells_how_the_binder_went),
		T(exit_then_close_leaves_nothing_to_settle),
		T(a_full_pass_finds_the_heir_that_nobody_announced),
		T(a_socket_that_nothing_shows_any_more_is_given_up),
		T(passes_for_one_row_keep_their_distance),
		T(an_unexplained_reference_costs_one_pass_only),
		T(a_reused_pid_is_not_taken_for_the_holder),
		T(a_parent_that_closed_its_copy_is_noticed_by_the_count),
		T(verifying_a_port_reads_descriptor_numbers),
		T(a_closed_server_that_forks_on_and_on_is_not_watched),
		T(a_child_of_a_closed_server_remembers_its_dead_parent),
		T(a_holder_stays_until_its_end_is_told),
		T(a_holder_that_closes_its_descriptors_at_its_end_stays_until_that_is_told),
		T(an_end_that_is_never_told_is_noticed_in_the_end),
		T(a_socket_is_undecided_while_its_process_ends),
		T(a_socket_with_an_heir_is_decided_at_once),
		T(a_closed_server_that_binds_again_is_watched_again),
		T(a_bind_that_its_exit_overtook_has_no_holder),
		T(resync_makes_rows_with_holders_and_processes),
		T(a_second_resync_changes_and_tracks_nothing),
		T(resync_keeps_what_events_taught),
		T(resync_drops_rows_whose_close_was_lost),
		T(resync_notices_a_binder_whose_exit_was_lost),
		T(the_oldest_holder_stands_for_an_unknown_binder),
		T(connections_in_a_pass_make_no_rows),
		T(a_failed_resync_leaves_the_table),
		T(any_order_of_events_leaves_a_sound_table),
	};

	return cmocka_run_group_tests_name("inventory table", tests, NULL, NULL);
}
