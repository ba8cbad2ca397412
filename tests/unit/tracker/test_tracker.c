/* SPDX-License-Identifier: MIT */
/* What events, losses, time and a restart make of a claim: its row, its entries, who is told. */
#include "world.h"

#include "tracker/judge.h"

#define COOKIE 10

/* A daemon that runs, with the claim. */
static int open_with_claim(void **state)
{
	struct world *w;

	if (world_open(state))
		return -1;
	w = *state;
	claim(w, 0, 0);
	assert_int_equal(tracker_start(w->tracker), 0);
	w->events = w->owned_events = w->entries = w->commits = 0;
	return 0;
}

/* Process 1 of the claim's user listens on the port. */
static void start_server(struct world *w, const char *cwd, uid_t uid)
{
	struct event process = process_event(1, cwd);
	struct event listen = socket_event(EVENT_LISTEN, 1, COOKIE, PORT);

	process.uid = process.process.uid = listen.uid = uid;
	tell(w, process);
	tell(w, listen);
}

static void close_server(struct world *w)
{
	struct event close = event_of(EVENT_CLOSE, 1);

	close.cookie = COOKIE;
	tell(w, close);
}

/* Turns the loop until the claim has the status. */
static void settle(struct world *w, enum service_status status)
{
	static const struct timeval look_again = { .tv_usec = 10000 };
	time_t deadline = time(NULL) + DEADLINE_S;
	struct service service;

	while (stored(w, &service) && service.status != status) {
		if (time(NULL) > deadline)
			fail_msg("still %s", service_status_name(service.status));
		event_base_loopexit(w->loop, &look_again);
		event_base_dispatch(w->loop);
	}
	assert_status(w, status);
}

/* --- transitions --- */

static void a_listener_that_fits_makes_the_claim_active(void **state)
{
	struct world *w = *state;
	struct newest entry;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_status(w, SERVICE_ACTIVE);
	entry = assert_entry(w, ACTIVITY_ACTIVE, "Port 3000: ");
	assert_int_equal(entry.pid, FAKE_PID + 1);
	assert_int_equal(w->entries, 1);
	assert_true(w->commits > 0);
}

static void the_end_of_its_socket_makes_it_a_ghost_and_the_next_active_again(void **state)
{
	struct world *w = *state;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	close_server(w);
	assert_status(w, SERVICE_GHOST);
	assert_entry(w, ACTIVITY_GHOST, "Port 3000: ");
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT));
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(count_entries(w, ACTIVITY_ACTIVE), 2);
}

static void a_stranger_makes_it_squatted_and_the_entry_is_the_strangers(void **state)
{
	struct world *w = *state;
	struct newest entry;

	start_server(w, "/srv/other", CLAIM_UID + 1);
	assert_status(w, SERVICE_SQUATTED);
	entry = assert_entry(w, ACTIVITY_SQUAT, "Port 3000: ");
	assert_int_equal(entry.uid, CLAIM_UID + 1);
	close_server(w);
	assert_status(w, SERVICE_CLAIMED);
	assert_int_equal(w->entries, 1); /* that it is free again is no entry */
}

static void a_status_that_stays_writes_nothing(void **state)
{
	struct world *w = *state;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	w->entries = w->commits = 0;
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT));
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(w->entries, 0);
	assert_int_equal(w->commits, 0);
}

/* The kernel tells of the end first, and closes the descriptors after it. */
static void an_end_changes_nothing_until_the_close_or_a_settled_table_says_so(void **state)
{
	struct world *w = *state;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	w->entries = 0;
	tell(w, exit_event(1, 0));
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(w->entries, 0);
	settle(w, SERVICE_GHOST);
	close_server(w); /* late, and no news any more */
	assert_status(w, SERVICE_GHOST);
	assert_int_equal(w->entries, 1);
}

static void a_claim_that_goes_is_no_claim(void **state)
{
	struct world *w = *state;

	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_CLAIMED);
	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_release(w->registry, ID, time(NULL)), 0);
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), -1);
}

/* --- losses --- */

static void an_end_that_was_lost_is_found_by_reading_anew(void **state)
{
	struct world *w = *state;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	lose_events(w, 3);
	settle(w, SERVICE_GHOST);
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
	settle(w, SERVICE_SQUATTED);
	assert_int_equal(assert_entry(w, ACTIVITY_SQUAT, "Port 3000: ").pid, getpid());
}

/* --- time --- */

static void a_claim_that_nothing_was_seen_of_turns_stale_at_its_moment(void **state)
{
	struct world *w = *state;

	claim(w, RECONCILE_STALE_AGE_S - 1, 0);
	assert_int_equal(tracker_start(w->tracker), 0);
	settle(w, SERVICE_STALE);
	assert_entry(w, ACTIVITY_STALE, "Port 3000: ");
}

static void a_claim_whose_time_is_over_is_released_when_the_clock_was_set(void **state)
{
	struct world *w = *state;
	struct service service;

	assert_int_equal(tracker_start(w->tracker), 0);
	claim(w, 100, 10);
	tracker_clock_changed(w->tracker);
	assert_false(stored(w, &service));
	assert_entry(w, ACTIVITY_RELEASE, "Port 3000 released: its time is over");
}

static void a_claim_that_is_used_outlives_its_time(void **state)
{
	struct world *w = *state;

	assert_int_equal(tracker_start(w->tracker), 0);
	claim(w, 100, 10);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	tracker_clock_changed(w->tracker);
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(count_entries(w, ACTIVITY_RELEASE), 0);
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

/* --- who is told --- */

static void an_event_is_told_with_the_service_that_owns_its_port(void **state)
{
	struct world *w = *state;

	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE, PORT));
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT + 1));
	assert_int_equal(w->events, 2);
	assert_int_equal(w->owned_events, 1);
	close_server(w); /* the kernel knows its cookie alone, the table its port */
	assert_int_equal(w->owned_events, 2);
}

static void a_refusal_is_an_entry_at_once_and_is_explained_for_who_asks(void **state)
{
	const struct failure_filter asked = { .uid = PROCESS_UID_UNKNOWN, .limit = 1 };
	struct world *w = *state;
	struct event fail = socket_event(EVENT_FAIL, 1, 0, PORT);

	fail.call = EVENT_CALL_BIND;
	fail.error = EADDRINUSE;
	tell(w, fail);
	assert_int_equal(count_entries(w, ACTIVITY_FAIL), 1);
	assert_int_equal(w->explained, 0);
	assert_int_equal(tracker_explain_waiting(w->tracker, &asked), 0);
	assert_int_equal(w->explained, 1);
}

static void without_a_listener_everything_is_written_all_the_same(void **state)
{
	struct world *w = *state;

	tracker_set_listener(w->tracker, NULL);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(w->events + w->entries + w->commits, 0);
}

/* --- the pen --- */

static void old_entries_go_whoever_writes_new_ones(void **state)
{
	static const struct activity_limits limits = { ACTIVITY_KEEP_NEWEST, ACTIVITY_KEEP_S };
	struct world *w = *state;

	registry_set_activity_limits(w->registry, &limits);
	for (unsigned i = 0; i < 3 * ACTIVITY_KEEP_NEWEST; i++) {
		assert_int_equal(activity_write(tracker_activity(w->tracker),
						&(struct activity){ .action = ACTIVITY_NOTE,
								    .service = ID,
								    .details = "n",
								    .timestamp = time(NULL),
								    .uid = CLAIM_UID }),
				 0);
		/* they go in a turn of their own */
		event_base_loop(w->loop, EVLOOP_NONBLOCK);
	}
	assert_in_range(count_entries(w, ACTIVITY_NOTE), 1, 2 * ACTIVITY_KEEP_NEWEST);
	assert_int_equal(w->entries, 3 * ACTIVITY_KEEP_NEWEST);
}

/* --- the judge --- */

struct both {
	struct world *w;
	struct judgement by_table, verified;
};

static bool judge_both(const struct service *service, void *user_data)
{
	struct both *both = user_data;
	struct inventory *inv = both->w->inventory;

	assert_int_equal(judge_claim(inv, service, time(NULL), JUDGE_TABLE, &both->by_table), 0);
	assert_int_equal(judge_claim(inv, service, time(NULL), JUDGE_VERIFIED, &both->verified), 0);
	return false;
}

static void both_efforts_come_to_one_verdict_and_a_look_names_the_holders(void **state)
{
	struct world *w = *state;
	struct both both = { .w = w };
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	assert_true(fd >= 0);
	lose_events(w, 1);
	settle(w, SERVICE_SQUATTED);
	assert_int_equal(registry_service_by_port(w->registry, PORT, judge_both, &both), 0);
	assert_int_equal(both.by_table.verdict.status, SERVICE_SQUATTED);
	assert_int_equal(both.verified.verdict.status, SERVICE_SQUATTED);
	assert_null(both.by_table.holdings);
	assert_int_equal(both.verified.n_holdings, 1);
	assert_int_equal(both.verified.holdings[0].holder->id.pid, getpid());
	free(both.verified.holdings);
}

static void a_listener_on_a_port_without_a_claim_is_an_orphan_and_with_one_is_none(void **state)
{
	struct world *w = *state;
	_cleanup_close_ int claimed = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);
	_cleanup_close_ int orphan = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT_RANGE_FIRST + 7,
						NETNS_LISTEN);
	int64_t n;

	assert_true(claimed >= 0 && orphan >= 0);
	assert_int_not_equal(PORT, PORT_RANGE_FIRST + 7);
	lose_events(w, 1);
	settle(w, SERVICE_SQUATTED);
	assert_int_equal(judge_count_orphans(w->inventory, w->registry, &n), 0);
	assert_int_equal(n, 1);
}

#define RUNNING(f)  cmocka_unit_test_setup_teardown(f, open_with_claim, world_close)
#define STARTING(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
	struct CMUnitTest tests[] = {
		RUNNING(a_listener_that_fits_makes_the_claim_active),
		RUNNING(the_end_of_its_socket_makes_it_a_ghost_and_the_next_active_again),
		RUNNING(a_stranger_makes_it_squatted_and_the_entry_is_the_strangers),
		RUNNING(a_status_that_stays_writes_nothing),
		RUNNING(an_end_changes_nothing_until_the_close_or_a_settled_table_says_so),
		RUNNING(a_claim_that_goes_is_no_claim),
		RUNNING(an_end_that_was_lost_is_found_by_reading_anew),
		RUNNING(a_listener_that_was_lost_is_found_by_reading_anew),
		STARTING(a_claim_that_nothing_was_seen_of_turns_stale_at_its_moment),
		STARTING(a_claim_whose_time_is_over_is_released_when_the_clock_was_set),
		STARTING(a_claim_that_is_used_outlives_its_time),
		RUNNING(what_ended_while_no_daemon_ran_is_told_as_that),
		RUNNING(an_event_is_told_with_the_service_that_owns_its_port),
		RUNNING(a_refusal_is_an_entry_at_once_and_is_explained_for_who_asks),
		RUNNING(without_a_listener_everything_is_written_all_the_same),
		RUNNING(old_entries_go_whoever_writes_new_ones),
		RUNNING(both_efforts_come_to_one_verdict_and_a_look_names_the_holders),
		RUNNING(a_listener_on_a_port_without_a_claim_is_an_orphan_and_with_one_is_none),
	};

	if (netns_enter())
		netns_skip_tests(tests, ARRAY_SIZE(tests));
	return cmocka_run_group_tests_name("tracker/tracker", tests, NULL, NULL);
}
