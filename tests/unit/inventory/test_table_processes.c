/* SPDX-License-Identifier: MIT */
/* Events of processes applied to the table: who holds a socket, inherits it, and how they end. */
#include "unit/inventory/table_world.h"

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

static void a_full_pass_finds_the_inheritor_that_nobody_announced(void **state)
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

static void a_socket_with_an_inheritor_is_decided_at_once(void **state)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		T(a_full_pass_finds_the_inheritor_that_nobody_announced),
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
		T(a_socket_with_an_inheritor_is_decided_at_once),
		T(a_closed_server_that_binds_again_is_watched_again),
		T(a_bind_that_its_exit_overtook_has_no_holder),
	};

	return cmocka_run_group_tests_name("inventory table processes", tests, NULL, NULL);
}
