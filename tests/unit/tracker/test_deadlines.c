/* SPDX-License-Identifier: MIT */
/* Claims that change by time alone: their moment, the clock, and more of them than one turn takes.
 */
#include "world.h"

#include "tracker/deadlines.h"

TEST_BETWEEN(a_claim_that_nothing_was_seen_of_turns_stale_at_its_moment, struct world *w,
	     world_open, world_close)
{
	claim(w, RECONCILE_STALE_AGE_S - 1, 0);
	assert_int_equal(tracker_start(w->tracker), 0);
	turn_until(w, SERVICE_STALE);
	assert_entry(w, ACTIVITY_STALE, "Port 3000: ");
}

TEST_BETWEEN(a_claim_whose_time_is_over_is_released_when_the_clock_was_set, struct world *w,
	     world_open, world_close)
{
	struct service service;

	assert_int_equal(tracker_start(w->tracker), 0);
	claim(w, 100, 10);
	tracker_clock_changed(w->tracker);
	assert_false(stored(w, &service));
	assert_entry(w, ACTIVITY_RELEASE, "Port 3000 released: its time is over");
}

TEST_BETWEEN(a_claim_that_is_used_outlives_its_time, struct world *w, world_open, world_close)
{
	assert_int_equal(tracker_start(w->tracker), 0);
	claim(w, 100, 10);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	tracker_clock_changed(w->tracker);
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(count_entries(w, ACTIVITY_RELEASE), 0);
}

TEST_WITH(a_ghost_turns_stale_at_its_moment, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	close_server(w);
	tracker_stop(w->tracker);
	shell(w, "UPDATE services SET updatedAt = updatedAt - 1795");
	world_restart_tracker(w);
	assert_status(w, SERVICE_GHOST);
	turn_until(w, SERVICE_STALE);
}

static void turn_until_entries(struct world *w, enum activity_action action, unsigned n)
{
	AWAIT(count_entries(w, action) >= n, turn(w));
	assert_int_equal(count_entries(w, action), n);
}

/* The timer was set for the moment at which it turns stale. */
TEST_WITH(a_claim_is_released_when_its_time_is_over, struct world *w)
{
	struct service service;

	shell(w, "UPDATE services SET expiresAt = unixepoch() + 1");
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_CLAIMED);
	turn_until_entries(w, ACTIVITY_RELEASE, 1);
	assert_false(stored(w, &service));
	assert_entry(w, ACTIVITY_RELEASE, "Port 3000 released: its time is over");
}

TEST_WITH(a_claim_that_outlived_its_time_is_released_after_its_use, struct world *w)
{
	struct service service;

	shell(w, "UPDATE services SET expiresAt = unixepoch() - 1");
	start_server(w, CLAIM_CWD, CLAIM_UID);
	tracker_clock_changed(w->tracker);
	assert_status(w, SERVICE_ACTIVE);
	close_server(w);
	tracker_clock_changed(w->tracker);
	assert_false(stored(w, &service));
}

/* The loop's timers stand while the machine sleeps, and do not know that a clock was set. */
TEST_WITH(a_claim_turns_stale_when_the_clock_has_jumped_over_its_moment, struct world *w)
{
	shell(w, "UPDATE services SET updatedAt = updatedAt - 3600");
	turn(w);
	assert_status(w, SERVICE_CLAIMED);
	tracker_clock_changed(w->tracker);
	assert_status(w, SERVICE_STALE);
}

TEST_WITH(a_clock_that_is_set_back_makes_nothing_stale, struct world *w)
{
	shell(w,
	      "UPDATE services SET updatedAt = updatedAt + 3600, expiresAt = unixepoch() + 7200");
	tracker_clock_changed(w->tracker);
	turn(w);
	assert_status(w, SERVICE_CLAIMED);
	assert_int_equal(count_entries(w, ACTIVITY_STALE) + count_entries(w, ACTIVITY_RELEASE), 0);
}

TEST_WITH(each_of_two_deadlines_is_kept, struct world *w)
{
	shell(w, "UPDATE services SET expiresAt = unixepoch() + 1");
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_CLAIMED);
	assert_int_equal(commit(w), 0);
	claim_port(w, "shop:later", PORT + 1, 0, 4);
	assert_int_equal(tracker_claim_changed(w->tracker, PORT + 1), SERVICE_CLAIMED);
	turn_until_entries(w, ACTIVITY_RELEASE, 1);
	turn_until_entries(w, ACTIVITY_RELEASE, 2); /* by the timer that the first one left */
}

TEST_ALONE(a_deadline_is_the_earlier_of_staleness_and_the_end_of_the_ttl)
{
	const int64_t stale = 1000 + RECONCILE_STALE_AGE_S;
	struct service service = { .expires_at = 0 };

	assert_int_equal(deadlines_of(&service, SERVICE_CLAIMED, 1000), stale);
	assert_int_equal(deadlines_of(&service, SERVICE_GHOST, 1000), stale);
	assert_int_equal(deadlines_of(&service, SERVICE_STALE, 1000), INT64_MAX);
	assert_int_equal(deadlines_of(&service, SERVICE_ACTIVE, 1000), INT64_MAX);
	service.expires_at = stale - 1;
	assert_int_equal(deadlines_of(&service, SERVICE_GHOST, 1000), stale - 1);
	assert_int_equal(deadlines_of(&service, SERVICE_ACTIVE, 1000), stale - 1);
	service.expires_at = stale + 1;
	assert_int_equal(deadlines_of(&service, SERVICE_CLAIMED, 1000), stale);
}

/* More than one turn judges or releases (SLICE). */
#define MANY 150

static void claim_many(struct world *w)
{
	struct claim_result result;
	char id[32];

	assert_int_equal(registry_begin(w->registry), 0);
	for (int i = 0; i < MANY; i++) {
		const struct claim_request request = {
			.id = id, .uid = CLAIM_UID, .cwd = CLAIM_CWD, .now = time(NULL)
		};

		snprintf(id, sizeof(id), "many:n%d", i);
		assert_int_equal(registry_claim(w->registry, &request, any_port, NULL, &result), 0);
	}
	assert_int_equal(commit(w), 0);
}

TEST_WITH(many_claims_turn_stale_in_one_sleep, struct world *w)
{
	claim_many(w);
	shell(w, "UPDATE services SET updatedAt = updatedAt - 3600");
	tracker_clock_changed(w->tracker);
	assert_in_range(count_entries(w, ACTIVITY_STALE), 1, MANY - 1); /* not in one turn */
	turn_until_entries(w, ACTIVITY_STALE, MANY + 1);
}

TEST_WITH(many_claims_are_released_in_one_sleep, struct world *w)
{
	claim_many(w);
	shell(w, "UPDATE services SET expiresAt = unixepoch() - 1");
	tracker_clock_changed(w->tracker);
	assert_in_range(count_entries(w, ACTIVITY_RELEASE), 1, MANY - 1);
	turn_until_entries(w, ACTIVITY_RELEASE, MANY + 1);
}

EACH_TEST_IN_NETNS_MAIN(open_with_claim, world_close)
