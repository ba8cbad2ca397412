/* SPDX-License-Identifier: MIT */
/* What the tracker makes of events that it did not get, and of writes that fail. */
#include "world.h"

#include <sys/resource.h>

/* --- losses --- */

TEST_WITH(an_end_that_was_lost_is_found_by_reading_anew, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 3);
	turn_until(w, SERVICE_GHOST);
	assert_entry(w, ACTIVITY_GAP, "3 kernel events were lost; the table was read anew");
	assert_int_equal(count_entries(w, ACTIVITY_GHOST), 1);
}

TEST_WITH(a_listener_that_was_lost_is_found_by_reading_anew, struct world *w)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	assert_true(fd >= 0);
	assert_status(w, SERVICE_CLAIMED);
	lose_events(w, 1);
	/* the holder is this test, which works in another directory than the claim's */
	turn_until(w, SERVICE_SQUATTED);
	assert_int_equal(assert_entry(w, ACTIVITY_SQUAT, "Port 3000: ").pid, getpid());
}

/* calloc() is wrapped at link time (see the Makefile). */
static bool no_memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

TEST_WITH(a_listener_for_which_there_was_no_memory_is_found_by_reading_anew, struct world *w)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	assert_true(fd >= 0);
	no_memory = true;
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE, PORT));
	no_memory = false;
	assert_status(w, SERVICE_CLAIMED);
	assert_true(inventory_is_behind(w->inventory));
	turn_until(w, SERVICE_SQUATTED);
	assert_false(inventory_is_behind(w->inventory));
}

/* Without an iterator the table has the sockets first, and then who holds them. */
TEST_WITH(what_is_seen_of_a_table_that_is_being_read_is_judged_when_it_has_been, struct world *w)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	const uint32_t netns = inventory_own_netns(w->inventory);

	assert_true(fd >= 0);
	assert_int_equal(inventory_resync_begin(w->inventory, time(NULL)), 0);
	while (!inventory_by_port(w->inventory, netns, PORT, NULL, 0)) {
		assert_true(inventory_is_resyncing(w->inventory));
		assert_int_equal(inventory_resync_go_on(w->inventory, 0, NULL, NULL), 0);
	}
	assert_true(inventory_is_resyncing(w->inventory));
	tracker_status_differs(w->tracker, PORT);
	assert_status(w, SERVICE_CLAIMED);
	lose_events(w, 0);
	turn_until(w, SERVICE_SQUATTED);
	assert_int_equal(assert_entry(w, ACTIVITY_SQUAT, "Port 3000: ").pid, getpid());
}

TEST_WITH(a_loss_without_a_lost_event_is_no_gap, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 0);
	turn_until(w, SERVICE_GHOST);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 0);
}

TEST_WITH(each_gap_counts_the_losses_since_the_one_before, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 3);
	turn_until(w, SERVICE_GHOST);
	start_nth_server(w, 2, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 2);
	turn_until(w, SERVICE_GHOST);
	assert_entry(w, ACTIVITY_GAP, "2 kernel events were lost");
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 2);
}

TEST_WITH(a_table_that_cannot_be_read_is_read_again_later, struct world *w)
{
	struct rlimit before, none;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	lose_events(w, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 0);
	turn_until(w, SERVICE_GHOST);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 1);
}

TEST_WITH(events_that_cannot_be_read_wait_for_the_next_time, struct world *w)
{
	w->error = -EIO;
	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_status(w, SERVICE_CLAIMED);
	w->error = 0;
	tracker_catch_up(w->tracker);
	assert_status(w, SERVICE_ACTIVE);
}

/* --- a restart --- */

TEST_WITH(what_ended_while_no_daemon_ran_is_told_as_that, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	tracker_stop(w->tracker);
	assert_false(registry_in_batch(w->registry));
	assert_entry(w, ACTIVITY_DAEMON, "stopped");
	world_close_tracker(w);

	world_open_tracker(w);
	assert_int_equal(tracker_start(w->tracker), 0);
	assert_status(w, SERVICE_GHOST);
	assert_entry(w, ACTIVITY_GHOST, "(changed while no daemon ran)");
	assert_entry(w, ACTIVITY_GAP, "no daemon listened for up to ");
	assert_entry(w, ACTIVITY_DAEMON, "started (pid ");
}

TEST_WITH(what_began_while_no_daemon_ran_is_told_as_that, struct world *w)
{
	_cleanup_close_ int fd = -1;

	tracker_stop(w->tracker);
	fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);
	assert_true(fd >= 0);
	world_restart_tracker(w);
	assert_status(w, SERVICE_SQUATTED);
	assert_entry(w, ACTIVITY_SQUAT, "(changed while no daemon ran)");
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE, PORT)); /* a second socket of the claim's */
	assert_status(w, SERVICE_ACTIVE);
	assert_null(strstr(assert_entry(w, ACTIVITY_ACTIVE, "").details, "while no daemon"));
}

TEST_WITH(a_claim_that_stays_as_it_was_is_told_of_by_no_entry, struct world *w)
{
	tracker_stop(w->tracker);
	world_restart_tracker(w);
	assert_status(w, SERVICE_CLAIMED);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 1);
	assert_int_equal(count_entries(w, ACTIVITY_DAEMON), 3);
	assert_int_equal(w->entries, 3); /* stopped, started, the gap between them */
}

TEST_BETWEEN(a_first_start_has_no_gap_before_it, struct world *w, world_open, world_close)
{
	w->report.mode = SENTINEL_MODE_POLL;
	w->report.why_not_bpf = "not permitted";
	assert_int_equal(tracker_start(w->tracker), 0);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 0);
	assert_entry(w, ACTIVITY_DAEMON, ", polling: not permitted)");
}

TEST_WITH(a_daemon_that_is_stopped_was_there_until_its_end, struct world *w)
{
	shell(w, "UPDATE meta SET value = value - 7200 WHERE key = 'lastAlive'");
	tracker_stop(w->tracker);
	world_restart_tracker(w);
	assert_null(strstr(assert_entry(w, ACTIVITY_GAP, "").details, "2h"));
}

/* Nothing was written at its end: the gap begins where it is last known to have run. */
TEST_WITH(a_daemon_that_was_killed_leaves_a_gap_since_its_last_sign, struct world *w)
{
	shell(w, "UPDATE meta SET value = value - 7200 WHERE key = 'lastAlive';"
		 "UPDATE activity SET timestamp = timestamp - 7200;"
		 "UPDATE services SET updatedAt = updatedAt - 3600");
	world_restart_tracker(w);
	assert_entry(w, ACTIVITY_GAP, "no daemon listened for up to 1h");
}

/* --- writes that fail --- */

TEST_WITH(a_commit_that_fails_takes_status_and_entry_back_until_judged_again, struct world *w)
{
	char away[sizeof(((struct world *)0)->database) + 8];

	assert_int_equal(commit(w), 0);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	snprintf(away, sizeof(away), "%s.away", w->database);
	assert_int_equal(rename(w->database, away), 0);
	assert_true(commit(w) < 0);
	assert_int_equal(rename(away, w->database), 0);
	assert_status(w, SERVICE_CLAIMED);
	assert_int_equal(count_entries(w, ACTIVITY_ACTIVE), 0);
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_ACTIVE);
	assert_int_equal(commit(w), 0);
	assert_int_equal(count_entries(w, ACTIVITY_ACTIVE), 1);
}

TEST_WITH(a_status_that_cannot_be_written_stays_and_nobody_is_told_of_it, struct world *w)
{
	sqlite3 *other;

	assert_int_equal(commit(w), 0);
	assert_int_equal(sqlite3_open(w->database, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_int_equal(w->entries, 0);
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_CLAIMED);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_ACTIVE);
	assert_int_equal(w->entries, 1);
}

EACH_TEST_IN_NETNS_MAIN(open_with_claim, world_close)
