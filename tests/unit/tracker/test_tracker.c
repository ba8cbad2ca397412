/* SPDX-License-Identifier: MIT */
/* What events make of a claim: its row, its entries, who is told. */
#include "world.h"

#include <signal.h>

#include "tracker/judge.h"

/* --- transitions --- */

TEST_WITH(a_listener_that_fits_makes_the_claim_active, struct world *w)
{
	struct newest entry;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_status(w, SERVICE_ACTIVE);
	entry = assert_entry(w, ACTIVITY_ACTIVE, "Port 3000: ");
	assert_int_equal(entry.pid, FAKE_PID + 1);
	assert_string_equal(entry.comm, "server");
	assert_int_equal(w->entries, 1);
	assert_true(w->commits > 0);
}

TEST_WITH(the_end_of_its_socket_makes_it_a_ghost_and_the_next_active_again, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	close_server(w);
	assert_status(w, SERVICE_GHOST);
	assert_entry(w, ACTIVITY_GHOST, "Port 3000: ");
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT));
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(count_entries(w, ACTIVITY_ACTIVE), 2);
}

TEST_WITH(a_stranger_makes_it_squatted_and_the_entry_is_the_strangers, struct world *w)
{
	struct newest entry;

	start_server(w, "/srv/other", CLAIM_UID + 1);
	assert_status(w, SERVICE_SQUATTED);
	entry = assert_entry(w, ACTIVITY_SQUAT, "Port 3000: ");
	assert_int_equal(entry.uid, CLAIM_UID + 1);
	w->commits = 0;
	close_server(w);
	assert_status(w, SERVICE_CLAIMED);
	assert_true(w->commits > 0);
	assert_int_equal(w->entries, 1); /* that it is free again is no entry */
}

TEST_WITH(a_status_that_stays_writes_nothing, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	w->entries = w->commits = 0;
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT));
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(w->entries, 0);
	assert_int_equal(w->commits, 0);
}

/* Its parent has bound the port, and ends in the way that `code` says. */
static void end_parent_of_a_child_that_listens(struct world *w, int code)
{
	w->kernel = fake_source(&w->fake);
	world_restart_tracker(w);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	fake_hold(&w->fake, fake_id(1), COOKIE, 3, 2);
	fake_hold(&w->fake, fake_id(2), COOKIE, 3, 2);
	tell(w, fork_event(1, 2));
	turn_until(w, SERVICE_ACTIVE);
	w->fake.fds[0] = w->fake.fds[--w->fake.n_fds];
	w->fake.fds[0].refs = 1;
	tell(w, exit_event(1, code));
}

TEST_WITH(a_child_that_keeps_a_dead_parents_port_orphans_it_until_it_closes, struct world *w)
{
	end_parent_of_a_child_that_listens(w, 1 << 8);
	assert_status(w, SERVICE_ACTIVE); /* the child may be about to end as well */
	turn_until(w, SERVICE_ORPHANED);
	assert_int_equal(assert_entry(w, ACTIVITY_ORPHAN, "is gone, child").pid, FAKE_PID + 2);
	close_server(w);
	assert_status(w, SERVICE_GHOST);
	assert_int_equal(count_entries(w, ACTIVITY_GHOST), 1);
}

/* No row of the table changes by that: its ports are judged for the exit alone. */
TEST_WITH(the_end_of_who_launched_the_server_makes_it_orphaned, struct world *w)
{
	struct event server = process_event(1, CLAIM_CWD), shell_ends = exit_event(0, SIGKILL);

	server.process.ancestors[0].sid = server.process.sid;
	tell(w, server);
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE, PORT));
	assert_status(w, SERVICE_ACTIVE);
	shell_ends.actor = server.process.ancestors[0].id;
	tell(w, shell_ends);
	assert_status(w, SERVICE_ACTIVE);
	turn_until(w, SERVICE_ORPHANED);
}

TEST_WITH(its_own_server_after_a_squatter_makes_it_active, struct world *w)
{
	start_server(w, "/srv/other", CLAIM_UID + 1);
	close_server(w);
	tell(w, process_event(2, CLAIM_CWD));
	tell(w, socket_event(EVENT_LISTEN, 2, COOKIE + 1, PORT));
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(assert_entry(w, ACTIVITY_ACTIVE, "Port 3000: ").pid, FAKE_PID + 2);
}

TEST_WITH(a_stranger_after_its_own_server_squats_it_and_leaves_a_ghost, struct world *w)
{
	struct event stranger = process_event(2, "/srv/other");
	struct event listen = socket_event(EVENT_LISTEN, 2, COOKIE + 1, PORT);

	start_server(w, CLAIM_CWD, CLAIM_UID);
	close_server(w);
	stranger.uid = stranger.process.uid = listen.uid = CLAIM_UID + 1;
	tell(w, stranger);
	tell(w, listen);
	assert_status(w, SERVICE_SQUATTED);
	tell(w, close_event(2, COOKIE + 1));
	assert_status(w, SERVICE_GHOST);
	assert_int_equal(count_entries(w, ACTIVITY_GHOST), 2);
}

TEST_WITH(a_stale_claim_is_active_again_when_its_server_listens, struct world *w)
{
	shell(w, "UPDATE services SET updatedAt = updatedAt - 3600");
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_STALE);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_status(w, SERVICE_ACTIVE);
}

static int64_t age_of_claim(struct world *w)
{
	struct service service;

	assert_true(stored(w, &service));
	return time(NULL) - service.updated_at;
}

TEST_WITH(a_claim_is_as_old_as_its_last_use_and_a_squatter_is_no_use, struct world *w)
{
	shell(w, "UPDATE services SET updatedAt = updatedAt - 1000");
	start_server(w, "/srv/other", CLAIM_UID + 1);
	close_server(w);
	assert_in_range(age_of_claim(w), 1000, 1000 + DEADLINE_S);
	tell(w, process_event(2, CLAIM_CWD));
	tell(w, socket_event(EVENT_LISTEN, 2, COOKIE, PORT));
	assert_in_range(age_of_claim(w), 0, DEADLINE_S);
	shell(w, "UPDATE services SET updatedAt = updatedAt - 1000");
	close_server(w);
	assert_status(w, SERVICE_GHOST);
	assert_in_range(age_of_claim(w), 0, DEADLINE_S);
}

TEST_WITH(a_listener_in_another_namespace_is_not_the_claims, struct world *w)
{
	struct event listen = socket_event(EVENT_LISTEN, 1, COOKIE, PORT);

	tell(w, process_event(1, CLAIM_CWD));
	w->waiting[w->n_waiting++] = listen; /* FAKE_NETNS, which tell() would replace */
	tracker_catch_up(w->tracker);
	assert_status(w, SERVICE_CLAIMED);
	assert_int_equal(w->owned_events, 0);
}

/* The kernel tells of the end first, and closes the descriptors after it. */
TEST_WITH(an_end_changes_nothing_until_the_close_or_a_settled_table_says_so, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	w->entries = 0;
	tell(w, exit_event(1, 0));
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(w->entries, 0);
	turn_until(w, SERVICE_GHOST);
	close_server(w); /* late, and no news any more */
	assert_status(w, SERVICE_GHOST);
	assert_int_equal(w->entries, 1);
}

/* A close that waits needs no search for who holds the socket now. */
TEST_WITH(what_waits_is_read_before_the_table_is_settled, struct world *w)
{
	start_server(w, CLAIM_CWD, CLAIM_UID);
	tell(w, exit_event(1, 0));
	w->waiting[w->n_waiting++] = close_event(1, COOKIE);
	turn_until(w, SERVICE_GHOST);
	assert_int_equal(w->n_waiting, 0);
}

TEST_WITH(a_claim_that_somebody_else_wrote_counts_from_the_next_event_on, struct world *w)
{
	shell(w, "UPDATE services SET port = 2999");
	start_server(w, CLAIM_CWD, CLAIM_UID);
	shell(w, "UPDATE services SET port = 3000");
	assert_status(w, SERVICE_CLAIMED);
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT));
	assert_status(w, SERVICE_ACTIVE);
}

TEST_WITH(a_claim_that_goes_is_no_claim, struct world *w)
{
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), SERVICE_CLAIMED);
	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_release(w->registry, ID, time(NULL)), 0);
	assert_int_equal(tracker_claim_changed(w->tracker, PORT), -1);
}

/* --- who is told --- */

TEST_WITH(an_event_is_told_with_the_service_that_owns_its_port, struct world *w)
{
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE, PORT));
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT + 1));
	assert_int_equal(w->events, 2);
	assert_int_equal(w->owned_events, 1);
	close_server(w); /* the kernel knows its cookie alone, the table its port */
	assert_int_equal(w->owned_events, 2);
}

static struct event refused_bind(void)
{
	struct event fail = socket_event(EVENT_FAIL, 1, 0, PORT);

	fail.call = EVENT_CALL_BIND;
	fail.error = EADDRINUSE;
	return fail;
}

TEST_WITH(a_refusal_is_an_entry_at_once_and_is_explained_for_who_asks, struct world *w)
{
	const struct refusal_filter asked = { .uid = PROCESS_UID_UNKNOWN, .limit = 1 };

	tell(w, refused_bind());
	assert_int_equal(count_entries(w, ACTIVITY_FAIL), 1);
	assert_int_equal(w->explained, 0);
	assert_int_equal(tracker_explain_waiting(w->tracker, &asked), 0);
	assert_int_equal(w->explained, 1);
}

/* Nobody reads its table of ports, and TCP's or UDP's would name the wrong holder. */
TEST_WITH(a_refusal_of_udp_lite_is_an_entry_alone, struct world *w)
{
	const struct refusal_filter asked = { .uid = PROCESS_UID_UNKNOWN, .limit = 1 };
	struct event fail = socket_event(EVENT_FAIL, 1, 0, PORT);

	fail.protocol = IPPROTO_UDPLITE;
	fail.error = EADDRINUSE;
	tell(w, fail);
	assert_int_equal(count_entries(w, ACTIVITY_FAIL), 1);
	assert_int_equal(tracker_explain_waiting(w->tracker, &asked), 0);
	assert_int_equal(w->explained, 0);
}

/* No table of ours has connections: the entry waits for the search. */
TEST_WITH(a_refusal_by_a_connection_is_told_with_who_the_search_found, struct world *w)
{
	const struct refusal_filter asked = { .uid = PROCESS_UID_UNKNOWN, .limit = 1 };
	struct event fail = refused_bind();

	fail.n_owners = 1;
	fail.owners[0] = (struct bind_owner){ .cookie = COOKIE + 9,
					      .family = AF_INET,
					      .state = SOCKET_ESTABLISHED,
					      .peer_port = 443 };
	tell(w, fail);
	assert_int_equal(count_entries(w, ACTIVITY_FAIL), 0);
	assert_int_equal(w->refused, 0);
	assert_int_equal(tracker_explain_waiting(w->tracker, &asked), 0);
	assert_int_equal(count_entries(w, ACTIVITY_FAIL), 1);
	assert_int_equal(w->refused, 1);
	assert_int_equal(w->obstacle.holder.pid, 77);
}

TEST_WITH(without_a_listener_everything_is_written_all_the_same, struct world *w)
{
	tracker_set_listener(w->tracker, NULL);
	start_server(w, CLAIM_CWD, CLAIM_UID);
	assert_status(w, SERVICE_ACTIVE);
	assert_int_equal(w->events + w->entries + w->commits, 0);
}

/* --- the pen --- */

static void write_note(struct world *w, const char *comm)
{
	const struct activity note = { .action = ACTIVITY_NOTE,
				       .service = ID,
				       .details = "n",
				       .timestamp = time(NULL),
				       .uid = CLAIM_UID,
				       .comm = comm };

	assert_int_equal(activity_write(tracker_activity(w->tracker), &note), 0);
}

TEST_WITH(old_entries_go_whoever_writes_new_ones, struct world *w)
{
	static const struct activity_limits limits = { ACTIVITY_KEEP_NEWEST, ACTIVITY_KEEP_S };

	registry_set_activity_limits(w->registry, &limits);
	for (unsigned i = 0; i < 3 * ACTIVITY_KEEP_NEWEST; i++) {
		write_note(w, NULL);
		/* they go in a turn of their own */
		event_base_loop(w->loop, EVLOOP_NONBLOCK);
	}
	assert_in_range(count_entries(w, ACTIVITY_NOTE), 1, 2 * ACTIVITY_KEEP_NEWEST);
	assert_int_equal(w->entries, 3 * ACTIVITY_KEEP_NEWEST);
	assert_true(w->commits > w->entries); /* what was dropped is committed as well */
}

/* A daemon that is killed is known to have run until then. */
TEST_WITH(an_entry_is_a_sign_that_the_daemon_is_alive, struct world *w)
{
	struct activity entry = { .action = ACTIVITY_NOTE, .service = ID, .details = "n" };
	const int64_t begin = time(NULL) + 100;
	int64_t alive;

	for (int64_t s = 0; s <= 60; s += 30) {
		entry.timestamp = begin + s;
		assert_int_equal(activity_write(tracker_activity(w->tracker), &entry), 0);
		assert_int_equal(registry_last_alive(w->registry, &alive), 0);
		assert_int_equal(alive, begin + s);
	}
}

TEST_WITH(an_entry_is_committed_soon_and_its_name_is_text, struct world *w)
{
	write_note(w, "no\xff");
	assert_int_equal(w->commits, 1);
	assert_string_equal(w->comm, "no\xEF\xBF\xBD");
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

TEST_WITH(both_efforts_come_to_one_verdict_and_a_look_names_the_holders, struct world *w)
{
	struct both both = { .w = w };
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	assert_true(fd >= 0);
	lose_events(w, 1);
	turn_until(w, SERVICE_SQUATTED);
	assert_int_equal(registry_service_by_port(w->registry, PORT, judge_both, &both), 0);
	assert_int_equal(both.by_table.verdict.status, SERVICE_SQUATTED);
	assert_int_equal(both.verified.verdict.status, SERVICE_SQUATTED);
	assert_null(both.by_table.holdings);
	assert_int_equal(both.verified.n_holdings, 1);
	assert_int_equal(both.verified.holdings[0].holder->id.pid, getpid());
	free(both.verified.holdings);
}

TEST_WITH(a_listener_on_a_port_without_a_claim_is_an_orphan_and_with_one_is_none, struct world *w)
{
	_cleanup_close_ int claimed = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);
	_cleanup_close_ int orphan = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT_RANGE_FIRST + 7,
						NETNS_LISTEN);
	int64_t n;

	assert_true(claimed >= 0 && orphan >= 0);
	assert_int_not_equal(PORT, PORT_RANGE_FIRST + 7);
	lose_events(w, 1);
	turn_until(w, SERVICE_SQUATTED);
	assert_int_equal(judge_count_orphans(w->inventory, w->registry, &n), 0);
	assert_int_equal(n, 1);
}

static int judge_port(struct world *w, uint16_t port)
{
	uint32_t netns = inventory_own_netns(w->inventory);
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(w->inventory, netns, port, &row, 1), 1);
	return judge_socket(w->inventory, w->registry, row);
}

TEST_WITH(only_listeners_of_the_range_or_of_a_former_claim_are_orphans, struct world *w)
{
	struct event elsewhere = socket_event(EVENT_LISTEN, 1, COOKIE + 9, PORT_RANGE_FIRST + 4);
	int64_t n;

	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE, PORT));
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, PORT_RANGE_FIRST + 1));
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 2, PORT_RANGE_FIRST - 1));
	tell(w, socket_event(EVENT_BIND, 1, COOKIE + 3, PORT_RANGE_FIRST + 3));
	w->waiting[w->n_waiting++] = elsewhere; /* in FAKE_NETNS */
	tracker_catch_up(w->tracker);
	assert_int_equal(judge_port(w, PORT), ORPHAN_NOT);
	assert_int_equal(judge_port(w, PORT_RANGE_FIRST + 1), ORPHAN_IN_RANGE);
	assert_int_equal(judge_port(w, PORT_RANGE_FIRST - 1), ORPHAN_NOT);
	assert_int_equal(judge_port(w, PORT_RANGE_FIRST + 3), ORPHAN_NOT);
	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_release(w->registry, ID, time(NULL)), 0);
	assert_int_equal(judge_port(w, PORT), ORPHAN_ONCE_CLAIMED);
	assert_int_equal(judge_count_orphans(w->inventory, w->registry, &n), 0);
	assert_int_equal(n, 2);
}

EACH_TEST_IN_NETNS_MAIN(open_with_claim, world_close)
