/* SPDX-License-Identifier: MIT */
/* Events of processes applied to the table: who holds a socket, inherits it, and how they end. */
#include "unit/inventory/table_world.h"

TEST_WITH(a_process_is_known_by_pid_and_start, struct world *w)
{
	struct process_id id = fake_id(1);

	start_server(w);
	assert_string_equal(known(w, 1)->cwd, "/home/app");
	assert_int_equal(only_row(w)->binder_sid, 42);
	id.start_ticks++;
	assert_null(inventory_process(w->inv, &id));
}

TEST_WITH(a_process_without_sockets_is_remembered_for_its_next_one, struct world *w)
{
	start_server(w);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	assert_non_null(known(w, 1));
}

TEST_WITH(processes_without_sockets_do_not_pile_up, struct world *w)
{
	for (unsigned i = 1; i < 2000; i++)
		apply(w, process_event(i, "/"));
	assert_null(known(w, 1));
	assert_non_null(known(w, 1999));
}

TEST_WITH(a_holder_is_never_forgotten, struct world *w)
{
	start_server(w);
	for (unsigned i = 2; i < 2000; i++)
		apply(w, process_event(i, "/"));
	assert_non_null(known(w, 1));
}

TEST_WITH(fork_makes_a_candidate_that_the_look_confirms, struct world *w)
{
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

TEST_WITH(a_child_that_closed_the_socket_is_dropped_and_not_watched, struct world *w)
{
	start_server(w);
	apply(w, fork_event(1, 2));
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 2;
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(w->fake.tracked[2], -1);
}

TEST_WITH(a_childs_ancestry_outlives_its_parent, struct world *w)
{
	struct process_id parent = fake_id(1);
	const struct process *process;

	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	apply(w, fork_event(1, 2));
	apply(w, exit_event(1, 0));
	settle(w);
	process = known(w, 2);
	assert_int_equal(process->n_ancestors, 3);
	assert_true(process_id_equal(&process->ancestors[0].id, &parent));
	assert_string_equal(process->ancestors[1].comm, "bash");
	assert_string_equal(process->cwd, "/home/app");
}

TEST_WITH(a_reparented_process_keeps_its_chain, struct world *w)
{
	struct event e = process_event(1, "/srv");

	start_server(w);
	e.process.n_ancestors = 1;
	e.process.ancestors[0] = e.process.ancestors[1];
	apply(w, e);
	assert_int_equal(known(w, 1)->n_ancestors, 2);
	assert_string_equal(known(w, 1)->cwd, "/srv");
}

TEST_WITH(exec_with_close_on_exec_drops_the_holder, struct world *w)
{
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

TEST_ALONE(exit_tells_how_the_binder_went)
{
	static const struct {
		int code;
		enum binder_fate fate;
	} cases[] = { { 0, BINDER_EXITED_WELL },
		      { 1 << 8, BINDER_EXITED_BADLY },
		      { 9, BINDER_EXITED_BADLY } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w;

		assert_int_equal(setup((void **)&w), 0);
		start_server(w);
		apply(w, fork_event(1, 2));
		apply(w, exit_event(1, cases[i].code));
		assert_int_equal(only_row(w)->binder_fate, cases[i].fate);
		assert_holders(only_row(w), 1, (unsigned[]){ 2 });
		teardown((void **)&w);
	}
}

TEST_WITH(exit_then_close_leaves_nothing_to_settle, struct world *w)
{
	start_server(w);
	apply(w, exit_event(1, 9));
	assert_true(w->settle);
	assert_int_equal(only_row(w)->n_holders, 0);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	assert_int_equal(settle(w), 1);
	assert_int_equal(w->fake.looks + w->fake.passes, 0);
}

TEST_WITH(a_full_pass_finds_the_inheritor_that_nobody_announced, struct world *w)
{
	start_server(w);
	fake_hold(&w->fake, fake_id(3), 10, 7, 1);
	apply(w, exit_event(1, 9));
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 3 });
	assert_true(only_row(w)->complete);
	assert_int_equal(w->fake.passes, 1);
	assert_int_equal(w->fake.tracked[3], 1);
}

TEST_WITH(a_socket_that_nothing_shows_any_more_is_given_up, struct world *w)
{
	start_server(w);
	apply(w, exit_event(1, 9));
	settle(w);
	assert_no_row(w);
	assert_in_range(w->fake.passes, 1, 3);
}

TEST_WITH(passes_for_one_row_keep_their_distance, struct world *w)
{
	bool again;

	start_server(w);
	apply(w, exit_event(1, 9));
	for (int i = 0; i < 20; i++)
		assert_int_equal(inventory_settle(w->inv, NOW, count_change, w, &again), 0);
	assert_int_equal(w->fake.passes, 1);
	assert_true(again);
}

TEST_WITH(an_unexplained_reference_costs_one_pass_only, struct world *w)
{
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

TEST_WITH(a_reused_pid_is_not_taken_for_the_holder, struct world *w)
{
	struct process_id inheritor = fake_id(2), other = inheritor;

	start_server(w);
	apply(w, fork_event(1, 2));
	other.start_ticks += 500;
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	fake_hold(&w->fake, other, 10, 3, 2);
	settle(w);
	assert_int_equal(only_row(w)->n_holders, 2);
	assert_false(process_id_equal(&only_row(w)->holders[1].id, &inheritor));
	assert_true(process_id_equal(&only_row(w)->holders[1].id, &other));
}

TEST_WITH(a_parent_that_closed_its_copy_is_noticed_by_the_count, struct world *w)
{
	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 1;
	apply(w, fork_event(1, 2));
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
	assert_int_equal(only_row(w)->binder_fate, BINDER_ALIVE);
	assert_int_equal(only_row(w)->binder.pid, FAKE_PID + 1);
}

TEST_WITH(verifying_a_port_reads_descriptor_numbers, struct world *w)
{
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

TEST_WITH(a_closed_server_that_forks_on_and_on_is_not_watched, struct world *w)
{
	start_server(w);
	close_and_fork_on_and_on(w);
	assert_int_equal(w->fake.tracked[1], -1);
}

TEST_WITH(a_child_of_a_closed_server_remembers_its_dead_parent, struct world *w)
{
	struct process_id parent = fake_id(1);
	const struct process *process;

	start_server(w);
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	apply(w, fork_event(1, 2));
	apply(w, exit_event(1, 0));
	process = known(w, 2);
	assert_non_null(process);
	assert_int_equal(process->ppid, parent.pid);
	assert_true(process_id_equal(&process->ancestors[0].id, &parent));
}

TEST_WITH(a_closed_server_that_binds_again_is_watched_again, struct world *w)
{
	start_server(w);
	close_and_fork_on_and_on(w);
	assert_int_equal(w->fake.tracked[1], -1);
	apply(w, socket_event(EVENT_BIND, 1, 11, PORT));
	assert_int_equal(w->fake.tracked[1], 0);
}

TEST_WITH(a_holder_stays_until_its_end_is_told, struct world *w)
{
	start_server(w);
	assert_int_equal(inventory_look_at_port(w->inv, FAKE_NETNS, PORT), 0);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	apply(w, exit_event(1, 9));
	assert_holders(only_row(w), 0, NULL);
}

TEST_WITH(a_holder_that_closes_its_descriptors_at_its_end_stays_until_that_is_told, struct world *w)
{
	start_server(w);
	w->fake.ending = fake_id(1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 1;
	assert_int_equal(inventory_look_at_port(w->inv, FAKE_NETNS, PORT), 0);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
}

TEST_WITH(an_end_that_is_never_told_is_noticed_in_the_end, struct world *w)
{
	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	apply(w, fork_event(1, 2));
	settle(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
}

TEST_WITH(a_socket_is_undecided_while_its_process_ends, struct world *w)
{
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

TEST_WITH(a_socket_with_an_inheritor_is_decided_at_once, struct world *w)
{
	start_server(w);
	fake_hold(&w->fake, fake_id(3), 10, 7, 1);
	apply(w, exit_event(1, 9));
	assert_true(only_row(w)->undecided);
	settle(w);
	assert_false(only_row(w)->undecided);
}

TEST_WITH(a_bind_that_its_exit_overtook_has_no_holder, struct world *w)
{
	start_server(w);
	apply(w, exit_event(1, 0));
	apply(w, socket_event(EVENT_BIND, 1, 11, 3001));
	assert_true(w->settle);
	settle(w);
	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, 3001, NULL, 0), 0);
}

EACH_TEST_MAIN(setup, teardown)
