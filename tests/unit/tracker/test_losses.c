/* SPDX-License-Identifier: MIT */
/* What the tracker makes of events that it did not get, and of writes that fail. */
#include "world.h"

#include <sys/resource.h>

/* --- losses --- */

static void an_end_that_was_lost_is_found_by_reading_anew(void **state)
{
	struct world *w = *state;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 3);
	turn_until(w, SERVICE_GHOST);
	assert_entry(w, ACTIVITY_GAP, "3 kernel events were lost; the table was read anew");
	assert_int_equal(count_entries(w, ACTIVITY_GHOST), 1);
}

static void a_listener_that_was_lost_is_found_by_reading_anew(void **state)
{
	struct world *w = *state;
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	assert_true(fd >= 0);
	assert_status(w, SERVICE_CLAIMED);
	lose_events(w, 1);
	/* the holder is this test, which works in another directory than the claim's */
	turn_until(w, SERVICE_SQUATTED);
	assert_int_equal(assert_entry(w, ACTIVITY_SQUAT, "Port 3000: ").pid, getpid());
}

static void a_loss_without_a_lost_event_is_no_gap(void **state)
{
	struct world *w = *state;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 0);
	turn_until(w, SERVICE_GHOST);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 0);
}

static void each_gap_counts_the_losses_since_the_one_before(void **state)
{
	struct world *w = *state;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 3);
	turn_until(w, SERVICE_GHOST);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 2);
	turn_until(w, SERVICE_GHOST);
	assert_entry(w, ACTIVITY_GAP, "2 kernel events were lost");
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 2);
}

static void a_table_that_cannot_be_read_is_read_again_later(void **state)
{
	struct world *w = *state;
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

static void events_that_cannot_be_read_wait_for_the_next_time(void **state)
{
	struct world *w = *state;

	w->error = -EIO;
	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_status(w, SERVICE_CLAIMED);
	w->error = 0;
	tracker_catch_up(w->tracker);
	assert_status(w, SERVICE_ACTIVE);
}

/* --- a restart --- */

static void what_ended_while_no_daemon_ran_is_told_as_that(void **state)
{
	struct world *w = *state;

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

static void what_began_while_no_daemon_ran_is_told_as_that(void **state)
{
	struct world *w = *state;
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

static void a_claim_that_stays_as_it_was_is_told_of_by_no_entry(void **state)
{
	struct world *w = *state;

	tracker_stop(w->tracker);
	world_restart_tracker(w);
	assert_status(w, SERVICE_CLAIMED);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 1);
	assert_int_equal(count_entries(w, ACTIVITY_DAEMON), 3);
	assert_int_equal(w->entries, 3); /* stopped, started, the gap between them */
}

static void a_first_start_has_no_gap_before_it(void **state)
{
	struct world *w = *state;

	w->report.mode = SENTINEL_MODE_POLL;
	w->report.why_not_bpf = "not permitted";
	assert_int_equal(tracker_start(w->tracker), 0);
	assert_int_equal(count_entries(w, ACTIVITY_GAP), 0);
	assert_entry(w, ACTIVITY_DAEMON, ", polling: not permitted)");
}

static void a_daemon_that_is_stopped_was_there_until_its_end(void **state)
{
	struct world *w = *state;

	shell(w, "UPDATE meta SET value = value - 7200 WHERE key = 'lastAlive'");
	tracker_stop(w->tracker);
	world_restart_tracker(w);
	assert_null(strstr(assert_entry(w, ACTIVITY_GAP, "").details, "2h"));
}

/* Nothing was written at its end: the gap begins where it is last known to have run. */
static void a_daemon_that_was_killed_leaves_a_gap_since_its_last_sign(void **state)
{
	struct world *w = *state;

	shell(w, "UPDATE meta SET value = value - 7200 WHERE key = 'lastAlive'");
	world_restart_tracker(w);
	assert_entry(w, ACTIVITY_GAP, "no daemon listened for up to 2h");
}

/* --- writes that fail --- */

static void a_commit_that_fails_takes_status_and_entry_back_until_judged_again(void **state)
{
	char away[sizeof(((struct world *)0)->database) + 8];
	struct world *w = *state;

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

static void a_status_that_cannot_be_written_stays_and_nobody_is_told_of_it(void **state)
{
	struct world *w = *state;
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

#define RUNNING(f)  cmocka_unit_test_setup_teardown(f, open_with_claim, world_close)
#define STARTING(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
	struct CMUnitTest tests[] = {
		RUNNING(an_end_that_was_lost_is_found_by_reading_anew),
		RUNNING(a_listener_that_was_lost_is_found_by_reading_anew),
		RUNNING(a_loss_without_a_lost_event_is_no_gap),
		RUNNING(each_gap_counts_the_losses_since_the_one_before),
		RUNNING(a_table_that_cannot_be_read_is_read_again_later),
		RUNNING(events_that_cannot_be_read_wait_for_the_next_time),
		RUNNING(what_ended_while_no_daemon_ran_is_told_as_that),
		RUNNING(what_began_while_no_daemon_ran_is_told_as_that),
		RUNNING(a_claim_that_stays_as_it_was_is_told_of_by_no_entry),
		STARTING(a_first_start_has_no_gap_before_it),
		RUNNING(a_daemon_that_is_stopped_was_there_until_its_end),
		RUNNING(a_daemon_that_was_killed_leaves_a_gap_since_its_last_sign),
		RUNNING(a_commit_that_fails_takes_status_and_entry_back_until_judged_again),
		RUNNING(a_status_that_cannot_be_written_stays_and_nobody_is_told_of_it),
	};

	if (netns_enter())
		netns_skip_tests(tests, ARRAY_SIZE(tests));
	return cmocka_run_group_tests_name("tracker/losses", tests, NULL, NULL);
}
