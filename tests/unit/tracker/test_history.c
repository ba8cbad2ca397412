/* SPDX-License-Identifier: MIT */
/* Who had a port: what events make of it, how it ended, and what a flood leaves of it. */
#include "world.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/quota.h"
#include "registry/history.h"
#include "unit/sockets.h"

#define FREE_PORT 20123 /* that nobody has claimed */

struct seen {
	unsigned n, n_open;
	struct history_entry newest; /* its texts are below */
	char comm[32], service[64], addr[64];
};

static bool see(const struct history_entry *entry, void *user_data)
{
	struct seen *seen = user_data;

	seen->n_open += !entry->end.at;
	if (seen->n++)
		return true;
	seen->newest = *entry;
	snprintf(seen->comm, sizeof(seen->comm), "%s", entry->comm);
	snprintf(seen->service, sizeof(seen->service), "%s", entry->service);
	snprintf(seen->addr, sizeof(seen->addr), "%s", entry->addr);
	return true;
}

static struct seen history_of(struct world *w, uint16_t port)
{
	const struct history_filter filter = { .port = port, .limit = INT64_MAX };
	struct seen seen = { 0 };

	tracker_write_history(w->tracker);
	assert_int_equal(registry_for_each_history(w->registry, &filter, see, &seen), 0);
	return seen;
}

static void listen_of(struct world *w, unsigned process, uint64_t cookie, uint16_t port)
{
	tell(w, process_event(process, CLAIM_CWD));
	tell(w, socket_event(EVENT_LISTEN, process, cookie, port));
}

static void listen_on(struct world *w, uint64_t cookie, uint16_t port)
{
	listen_of(w, 1, cookie, port);
}

static void assert_ended(const struct seen *seen, enum history_how how, int code)
{
	assert_string_equal(history_how_name(seen->newest.end.how), history_how_name(how));
	assert_int_equal(seen->newest.end.code, code);
	assert_true(seen->newest.end.at >= seen->newest.since);
}

TEST_WITH(a_listener_has_the_port_until_it_closes, struct world *w)
{
	struct seen seen;

	start_server(w, CLAIM_CWD, CLAIM_UID);
	seen = history_of(w, PORT);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.newest.end.how, HISTORY_HAS_IT);
	assert_int_equal(seen.newest.process.pid, FAKE_PID + 1);
	assert_int_equal(seen.newest.uid, CLAIM_UID);
	assert_true(seen.newest.since > 0);
	assert_string_equal(seen.comm, "server");
	assert_string_equal(seen.service, ID);
	close_server(w);
	seen = history_of(w, PORT);
	assert_int_equal(seen.n, 1);
	assert_ended(&seen, HISTORY_CLOSED, 0);
}

TEST_WITH(how_its_process_ended_is_how_it_ended_also_where_nobody_claimed_the_port, struct world *w)
{
	struct seen seen;

	listen_on(w, COOKIE, FREE_PORT);
	tell(w, exit_event(1, 3 << 8));
	tell(w, close_event(1, COOKIE));
	seen = history_of(w, FREE_PORT);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.service, "");
	assert_ended(&seen, HISTORY_EXIT, 3);

	listen_of(w, 2, COOKIE + 1, FREE_PORT);
	history_of(w, FREE_PORT); /* its begin is written before its end */
	tell(w, exit_event(2, SIGKILL));
	tell(w, close_event(1, COOKIE + 1));
	seen = history_of(w, FREE_PORT);
	assert_int_equal(seen.n, 2);
	assert_ended(&seen, HISTORY_SIGNAL, SIGKILL);
}

TEST_WITH(an_exit_right_behind_the_close_is_how_it_ended, struct world *w)
{
	struct seen seen;

	listen_on(w, COOKIE, FREE_PORT);
	tell(w, close_event(1, COOKIE));
	tell(w, exit_event(1, 5 << 8));
	seen = history_of(w, FREE_PORT);
	assert_ended(&seen, HISTORY_EXIT, 5);
}

TEST_WITH(a_holder_whose_exit_overtook_its_listen_is_named, struct world *w)
{
	struct seen seen;

	tell(w, process_event(1, CLAIM_CWD));
	tell(w, socket_event(EVENT_BIND, 1, COOKIE, FREE_PORT + 1));
	tell(w, exit_event(1, 0));
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + 1, FREE_PORT));
	seen = history_of(w, FREE_PORT);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.newest.process.pid, FAKE_PID + 1);
	assert_string_equal(seen.comm, "server");
}

TEST_WITH(a_socket_that_listens_twice_has_one_row_and_one_that_only_binds_has_none, struct world *w)
{
	tell(w, socket_event(EVENT_BIND, 1, COOKIE, FREE_PORT));
	assert_int_equal(history_of(w, FREE_PORT).n, 0);
	listen_on(w, COOKIE, FREE_PORT);
	tell(w, socket_event(EVENT_LISTEN, 1, COOKIE, FREE_PORT));
	assert_int_equal(history_of(w, FREE_PORT).n, 1);
}

TEST_WITH(what_ended_while_no_daemon_ran_ended_nobody_knows_how, struct world *w)
{
	struct seen seen;

	listen_on(w, COOKIE, FREE_PORT);
	tracker_stop(w->tracker);
	world_restart_tracker(w);
	seen = history_of(w, FREE_PORT);
	assert_int_equal(seen.n, 1);
	assert_ended(&seen, HISTORY_UNKNOWN, 0);
}

TEST_WITH(what_ended_unseen_has_ended_however_much_of_it_there_was_on_one_port, struct world *w)
{
	struct seen seen;

	listen_on(w, COOKIE, FREE_PORT);
	tracker_stop(w->tracker);
	/* of a server with 200 sockets more */
	shell(w, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
		 "INSERT INTO history(port, proto, pid, startTicks, bootId, since, cookie) "
		 "SELECT port, proto, pid, startTicks, bootId, since, cookie + i FROM history, n");
	world_restart_tracker(w);
	/* some of them at a time */
	AWAIT(!(seen = history_of(w, FREE_PORT)).n_open, turn(w));
	assert_int_equal(seen.n, 201);
}

TEST_WITH(what_an_earlier_boot_left_has_ended, struct world *w)
{
	listen_on(w, COOKIE, FREE_PORT);
	history_of(w, FREE_PORT);
	shell(w, "UPDATE history SET bootId = 'another'");
	world_restart_tracker(w);
	assert_int_equal(history_of(w, FREE_PORT).newest.end.how, HISTORY_UNKNOWN);
}

/* The table is read anew, and what it shows has a row; the server itself is real. */
TEST_WITH(a_socket_whose_events_were_lost_is_found, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port);
	struct seen seen;
	pid_t pid;

	pid = fork(); /* what the daemon itself has is none of its business */
	if (!pid)
		for (;;)
			pause();
	close(fd);
	lose_events(w, 1);
	AWAIT((seen = history_of(w, port)).n, turn(w));
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.newest.process.pid, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	AWAIT((seen = history_of(w, port)).newest.end.at, lose_events(w, 1); turn(w));
	assert_ended(&seen, HISTORY_UNKNOWN, 0);
}

TEST_WITH(a_flood_of_listeners_is_written_up_to_the_share_and_counted_beyond_it, struct world *w)
{
	const uint64_t all = quota_limit(QUOTA_HISTORY)->machine;
	uint64_t left_out;
	struct seen seen;

	for (uint64_t i = 0; i < all; i++) {
		tell(w, socket_event(EVENT_LISTEN, 1, COOKIE + i, FREE_PORT));
		tell(w, close_event(1, COOKIE + i));
	}
	left_out = tracker_write_history(w->tracker);
	seen = history_of(w, FREE_PORT);
	assert_int_equal(seen.n + left_out, all);
	/* one user alone gets half of what is there at once, and some more with time */
	assert_in_range(seen.n, all / 2, all - 1);
	assert_int_equal(seen.newest.end.how, HISTORY_CLOSED);
	assert_int_equal(count_entries(w, ACTIVITY_FAIL), 0);
}

TEST_WITH(it_is_written_by_itself_before_long, struct world *w)
{
	const struct history_filter filter = { .port = FREE_PORT, .limit = 10 };
	struct seen seen = { 0 };

	listen_on(w, COOKIE, FREE_PORT);
	w->commits = 0;
	AWAIT(seen.n, turn(w);
	      assert_int_equal(registry_for_each_history(w->registry, &filter, see, &seen), 0));
	assert_int_equal(seen.n, 1);
	assert_true(w->commits > 0);
}

EACH_TEST_IN_NETNS_MAIN(open_with_claim, world_close)
