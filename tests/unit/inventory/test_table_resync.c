/* SPDX-License-Identifier: MIT */
/* The table is read anew: what stays, what goes, what the losses had hidden. */
#include "unit/inventory/netns.h"
#include "unit/inventory/table_world.h"
#include "unit/sockets.h"

TEST_WITH(resync_makes_rows_with_holders_and_processes, struct world *w)
{
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	resync(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
	assert_int_equal(only_row(w)->since, 0);
	assert_int_equal(only_row(w)->seen, NOW + 100);
	assert_true(only_row(w)->complete);
	assert_string_equal(known(w, 1)->exe, "/usr/bin/server");
	assert_string_equal(known(w, 1)->cwd, "/home/app");
	assert_int_equal(w->fake.tracked[1], 1);
	assert_int_equal(w->changes, 1);
}

TEST_WITH(a_second_resync_changes_and_tracks_nothing, struct world *w)
{
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	resync(w);
	resync(w);
	assert_int_equal(w->changes, 0);
	assert_int_equal(w->fake.tracked[1], 1);
}

TEST_WITH(resync_keeps_what_events_taught, struct world *w)
{
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

TEST_WITH(resync_drops_rows_whose_close_was_lost, struct world *w)
{
	start_server(w);
	resync(w);
	assert_no_row(w);
	assert_int_equal(w->changes, 1);
	assert_int_equal(w->last_port, PORT);
}

TEST_WITH(resync_notices_a_binder_whose_exit_was_lost, struct world *w)
{
	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1);
	resync(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
	assert_int_equal(only_row(w)->binder_fate, BINDER_GONE);
	assert_int_equal(w->changes, 1);
}

TEST_WITH(the_oldest_holder_stands_for_an_unknown_binder, struct world *w)
{
	fake_hold(&w->fake, fake_id(2), 10, 3, 2);
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	resync(w);
	assert_int_equal(only_row(w)->binder.pid, FAKE_PID + 1);
	apply(w, exit_event(1, 0));
	assert_int_equal(only_row(w)->binder_fate, BINDER_EXITED_WELL);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
}

TEST_WITH(connections_in_a_pass_make_no_rows, struct world *w)
{
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

TEST_WITH(a_failed_resync_leaves_the_table, struct world *w)
{
	struct kernel_source source = fake_source(&w->fake);

	source.open_holder_pass = broken_pass;
	use_source(w, &source);
	start_server(w);
	assert_int_equal(inventory_resync(w->inv, NOW, count_change, w), -EBADMSG);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(w->changes, 0);
}

TEST_WITH(a_loss_is_made_good_by_a_resync_that_succeeds, struct world *w)
{
	struct kernel_source source = fake_source(&w->fake);

	resync(w);
	assert_false(inventory_is_behind(w->inv));
	inventory_note_loss(w->inv);
	assert_true(inventory_is_behind(w->inv));
	resync(w);
	assert_false(inventory_is_behind(w->inv));

	source.open_holder_pass = broken_pass;
	use_source(w, &source);
	inventory_note_loss(w->inv);
	assert_int_equal(inventory_resync(w->inv, NOW, count_change, w), -EBADMSG);
	assert_true(inventory_is_behind(w->inv));
}

/* --- sockets that only the list shows -------------------------------------------------------- */

/* They are real listeners of this namespace; no process of the fake kernel's holds them. */

static size_t count_listed(const struct world *w, uint16_t port)
{
	return inventory_by_port(w->inv, inventory_own_netns(w->inv), port, NULL, 0);
}

/* The kernel tells of a close when it begins, and lists the socket until it is done. */
TEST_WITH(a_closing_socket_that_the_list_still_showed_goes, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port);

	resync(w);
	assert_true(w->fake.tracked_sockets > 0);
	assert_int_equal(count_listed(w, port), 1);
	close(fd); /* no event of it comes any more */
	settle(w);
	assert_int_equal(count_listed(w, port), 0);
}

static unsigned sockets_not_tracked, processes_not_tracked;

static void count_not_tracked(const struct process_id *id, int error)
{
	assert_int_equal(error, -E2BIG);
	if (id)
		processes_not_tracked++;
	else
		sockets_not_tracked++;
}

static int has_no_room_for_a_socket(void *user_data, uint64_t cookie)
{
	return -E2BIG;
}

static int has_no_room_for_a_process(void *user_data, const struct process_id *id, bool track)
{
	return -E2BIG;
}

TEST_WITH(what_cannot_be_tracked_is_told_and_listed, struct world *w)
{
	struct kernel_source source = fake_source(&w->fake);
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);

	source.track_socket = has_no_room_for_a_socket;
	source.track_process = has_no_room_for_a_process;
	source.not_tracked = count_not_tracked;
	use_source(w, &source);
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	resync(w);
	assert_true(sockets_not_tracked > 0);
	assert_int_equal(processes_not_tracked, 1);
	assert_int_equal(count_listed(w, port), 1);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
}

TEST_WITH(a_socket_that_nobody_holds_and_the_list_shows_stays, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);

	resync(w);
	settle(w);
	assert_int_equal(count_listed(w, port), 1);
}

TEST_WITH(who_asks_for_a_port_gets_no_socket_that_nobody_holds_and_no_list_shows, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port);

	resync(w);
	settle(w);
	close(fd);
	/* a question looks into it at most every 250 ms */
	AWAIT(!count_listed(w, port),
	      assert_int_equal(inventory_verify_port(w->inv, inventory_own_netns(w->inv), port),
			       0));
}

TEST_WITH(what_nobody_held_before_is_looked_into_once, struct world *w)
{
	unsigned passes;
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);

	resync(w);
	settle(w);
	passes = w->fake.passes;
	resync(w);
	settle(w);
	assert_int_equal(w->fake.passes, passes + 1); /* the resync's own */
	assert_int_equal(count_listed(w, port), 1);
}

/* --- events that waited in the ring while the table was read --------------------------------- */

TEST_WITH(a_socket_that_closed_before_the_table_was_read_is_not_brought_back, struct world *w)
{
	struct event bind = socket_event(EVENT_BIND, 1, 10, PORT);
	struct event listen = socket_event(EVENT_LISTEN, 1, 10, PORT);

	resync(w); /* the CLOSE was lost */
	apply(w, bind);
	apply(w, listen);
	assert_no_row(w);
	assert_int_equal(w->changes, 0);
}

TEST_WITH(what_the_table_was_read_as_is_newer_than_what_waited, struct world *w)
{
	struct event listen = socket_event(EVENT_LISTEN, 1, 10, PORT);
	struct event unlisten = socket_event(EVENT_UNLISTEN, 1, 11, PORT);

	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	w->fake.tcp_state = 7; /* bound, after a shutdown that was lost */
	resync(w);
	apply(w, listen);
	assert_int_equal(only_row(w)->state, SOCKET_BOUND);

	w->fake.fds[0].cookie = 11; /* listens again, which was lost */
	w->fake.fds[0].inode = 1011;
	w->fake.tcp_state = 10;
	resync(w);
	apply(w, unlisten);
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
}

TEST_WITH(an_end_that_waited_is_applied, struct world *w)
{
	struct event close = socket_event(EVENT_CLOSE, 1, 10, PORT);

	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	resync(w);
	apply(w, close);
	assert_no_row(w);
}

TEST_WITH(what_happens_after_the_table_was_read_counts, struct world *w)
{
	resync(w);
	start_server(w);
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
	apply(w, socket_event(EVENT_UNLISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_BOUND);
}

/* Where it may: the sockets of whoever works beside it are read, too. */
EACH_TEST_MAYBE_IN_NETNS_MAIN(setup, teardown)
