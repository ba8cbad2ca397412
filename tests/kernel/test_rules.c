/* SPDX-License-Identifier: MIT */
/* Rules of runs: a hard-coded port becomes the run's own, siblings reach it by the old number, and
 * a protected port is bound by nobody else. */
#include "base/run.h"
#include "kernel/obedient.h"
#include "sentinel/maps.h"

#define ASKED	3000
#define OWN	5742
#define OTHER	5743
#define PROJECT 7

/* --- runs with rules --- */

static uint32_t next_run = 100;

static void need_rules(struct watcher *w)
{
#ifdef BY_ORDERS
	assert_true(sentinel_report(w->sentinel)->orders);
#endif
	if (sentinel_kernel_source(w->sentinel)->set_run_rules)
		return;
	fail_msg("no rules: %s", probe(w->sentinel, "rules")->reason);
}

static struct child begin_by(struct watcher *w, struct run_rules rules, uint32_t *ret_run)
{
	struct child child = start_child(run_obedient);
	struct process_id id = identity(child.pid);

	need_rules(w);
	for (uint16_t i = 0; i < rules.n; i++)
		rules.hardcoded[i] = (struct run_hardcoded){ (uint16_t)(ASKED + i),
							     (uint16_t)(rules.port + i) };
	*ret_run = next_run++;
	assert_int_equal(ASK(w->sentinel, set_run_rules, *ret_run, &rules), 0);
	assert_int_equal(ASK(w->sentinel, begin_run, *ret_run, &id), 0);
	return child;
}

/* A child in a run of its own, with `n` hard-coded ports from ASKED on that become OWN and so on.
 */
static struct child begin(struct watcher *w, uint16_t port, uint16_t n, uint32_t *ret_run)
{
	return begin_by(w, (struct run_rules){ .project = PROJECT, .port = port, .n = n }, ret_run);
}

static void lift(struct watcher *w, uint32_t run)
{
	ASK(w->sentinel, set_siblings, PROJECT, ASKED, NULL, 0);
	ASK(w->sentinel, set_run_rules, run, NULL);
}

/* Without MPTCP where the kernel has none. */
static int here(int flags)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, NET_PROTOCOL_MPTCP);

	return fd < 0 ? flags & ~MPTCP : flags;
}

/* --- hard-coded ports --- */

TEST_WITH(hardcoded_port_is_bound_as_that_of_the_run, struct watcher *w)
{
	static const struct {
		const char *address;
		int flags;
	} kinds[] = { { "0.0.0.0", 0 },	       { "127.0.0.1", 0 },  { "::", 0 },
		      { "::", V6ONLY },	       { "::1", 0 },	    { "::ffff:127.0.0.1", 0 },
		      { "::ffff:0.0.0.0", 0 }, { "0.0.0.0", MPTCP } };
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_int_equal(
			has(&member, LISTEN, kinds[i].address, ASKED, here(kinds[i].flags)), OWN);
		order(&member, CLOSE_ALL, "", 0, 0);
	}
	lift(w, run);
}

TEST_WITH(what_is_not_hardcoded_is_left_alone, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run), stranger = start_child(run_obedient);

	assert_int_equal(bound(&stranger, "127.0.0.1", ASKED), ASKED);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED + 1), ASKED + 1);
	assert_int_not_equal(bound(&member, "127.0.0.1", 0), OWN);
	assert_int_equal(has(&member, BIND, "127.0.0.1", ASKED, DATAGRAM), ASKED);
	assert_int_equal(has(&member, BIND, "0.0.0.0", 0, 0) == OWN, 0);
	lift(w, run);
}

TEST_WITH(member_reaches_its_server_by_either_number_on_every_loopback_address, struct watcher *w)
{
	static const char *const addresses[] = { "127.0.0.1", "127.1.2.3", "::1",
						 "::ffff:127.0.0.1", "0.0.0.0" };
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run);

	assert_int_equal(refused(&member, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	assert_int_equal(bound(&member, "::", ASKED), OWN);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		assert_int_equal(reached(&member, addresses[i], ASKED), OWN);
		assert_int_equal(reached(&member, addresses[i], OWN), OWN);
	}
	lift(w, run);
}

TEST_WITH(mptcp_reaches_a_server_by_either_number, struct watcher *w)
{
	static const char *const addresses[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run);

	assert_int_equal(bound(&member, "::", ASKED), OWN);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		assert_int_equal(has(&member, CONNECT, addresses[i], ASKED, MPTCP), OWN);
		assert_int_equal(has(&member, CONNECT, addresses[i], OWN, MPTCP), OWN);
	}
	lift(w, run);
}

TEST_WITH(genuine_server_is_reached_unless_a_sibling_has_the_port, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run), genuine = start_child(run_obedient);

	assert_int_equal(bound(&genuine, "127.0.0.1", ASKED), ASKED);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED), ASKED);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED), OWN);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED), ASKED);
	lift(w, run);
}

/* Until the last of them is closed; an MPTCP socket has its port by a socket below it. */
TEST_WITH(port_is_had_as_long_as_one_socket_has_it, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run), other = begin(w, OTHER, 0, &run);

	ASK(w->sentinel, set_siblings, PROJECT, ASKED, (const uint32_t[]){ run - 1 }, 1);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED), OWN);
	assert_int_equal(has(&member, LISTEN, "::1", ASKED, V6ONLY), OWN);
	assert_int_equal(reached(&other, "::1", ASKED), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(refused(&other, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	assert_int_equal(has(&member, LISTEN, "127.0.0.1", ASKED, here(MPTCP)), OWN);
	assert_int_equal(reached(&other, "127.0.0.1", ASKED), OWN);
	kill(member.pid, SIGKILL);
	end_child(&member);
	assert_int_equal(refused(&other, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	lift(w, run - 1);
	lift(w, run);
}

TEST_WITH(siblings_of_a_project_reach_it_and_others_do_not, struct watcher *w)
{
	struct child stranger = start_child(run_obedient), server, sibling;
	uint32_t run, of_sibling;

	server = begin(w, OWN, 1, &run);
	sibling = begin(w, OTHER, 0, &of_sibling);
	assert_int_equal(bound(&server, "127.0.0.1", ASKED), OWN);
	assert_int_equal(refused(&sibling, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	ASK(w->sentinel, set_siblings, PROJECT, ASKED, &run, 1);
	assert_int_equal(reached(&sibling, "127.0.0.1", ASKED), OWN);
	assert_int_equal(refused(&stranger, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	lift(w, run);
	lift(w, of_sibling);
}

TEST_WITH(two_hardcoded_ports_are_two_and_sockets_share_as_they_would_have, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 2, &run);

	assert_int_equal(has(&member, LISTEN, "127.0.0.1", ASKED, REUSEPORT), OWN);
	assert_int_equal(has(&member, LISTEN, "127.0.0.1", ASKED, REUSEPORT), OWN);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED + 1), OWN + 1);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED + 1), OWN + 1);
	lift(w, run);
}

TEST_WITH(refusal_tells_both_ports, struct watcher *w)
{
	const struct event *e;
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run);

	bound(&member, "127.0.0.1", ASKED);
	assert_int_equal(refused(&member, LISTEN, "127.0.0.1", ASKED, 0), EADDRINUSE);
	e = await_event(w, EVENT_FAIL, member.pid);
	assert_int_equal(e->asked_port, ASKED);
	assert_int_equal(e->port, OWN);
	assert_int_equal(e->stage, EVENT_STAGE_PASSED);
	assert_false(event_is_rewritten(e));
	assert_true(e->n_owners > 0);
	lift(w, run);
}

TEST_WITH(low_port_in_a_source_needs_no_privilege, struct watcher *w)
{
	struct run_rules rules = { .n = 1, .hardcoded = { { 80, OWN } } };
	uint32_t run;
	struct child member = begin(w, OWN, 0, &run);

	ASK(w->sentinel, set_run_rules, run, NULL);
	assert_int_equal(ASK(w->sentinel, set_run_rules, run, &rules), 0);
	if (order(&member, BECOME_NOBODY, "", 0, 0).error)
		skip();
	assert_int_equal(bound(&member, "0.0.0.0", 80), OWN);
	lift(w, run);
}

/* Skips where no ring can be had, whatever one would be asked for. */
static void need_ring(void)
{
	struct ring ring;
	int error = ring_open(&ring);

	if (!error) {
		ring_close(&ring);
		return;
	}
	assert_true(error == -ENOSYS || error == -EPERM);
	print_message("# skipped: no io_uring here: %s\n",
		      error == -ENOSYS ? "the kernel is built without it"
				       : "kernel.io_uring_disabled, or a filter, forbids it");
	skip();
}

TEST_WITH(io_uring_is_given_the_same_ports_and_refused_as_well, struct watcher *w)
{
	struct child stranger = start_child(run_obedient), member;
	int by = RING;
	struct told told;
	uint32_t run;

	need_ring();
	member = begin(w, OWN, 1, &run);
	told = order(&member, LISTEN, "127.0.0.1", ASKED, by);
	if (told.error == -EINVAL) { /* before Linux 6.11 it connects, and binds nothing */
		by = 0;
		told = order(&member, LISTEN, "127.0.0.1", ASKED, by);
	}
	assert_int_equal(told.error, 0);
	assert_int_equal(told.port, OWN);
	assert_int_equal(has(&member, CONNECT, "127.0.0.1", ASKED, RING), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(refused(&member, CONNECT, "127.0.0.1", ASKED, RING), ECONNREFUSED);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	told = order(&stranger, BIND, "127.0.0.1", OWN, by);
	assert_true(told.error == -EADDRINUSE || told.error == -EPERM);
	ASK(w->sentinel, protect_port, OWN, false);
	lift(w, run);
}

/* --- what they are told --- */

TEST_WITH(transparent_run_is_told_what_it_has_asked_for, struct watcher *w)
{
	static const struct {
		const char *address;
		int flags;
	} kinds[] = { { "127.0.0.1", 0 }, { "::1", 0 }, { "::ffff:127.0.0.1", 0 }, { "::", 0 } };
	const struct run_rules rules = {
		.project = PROJECT, .port = OWN, .transparent = true, .n = 2
	};
	struct child stranger = start_child(run_obedient), member, sibling;
	uint32_t run, of_sibling;

	member = begin_by(w, rules, &run);
	sibling = begin(w, OTHER + 1, 0, &of_sibling);
	if (!sentinel_kernel_source(w->sentinel)->names_can_be_rewritten)
		fail_msg("names are not rewritten");
	ASK(w->sentinel, set_siblings, PROJECT, ASKED, &run, 1);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *address = kinds[i].address;

		assert_int_equal(bound(&member, address, ASKED), ASKED);
		assert_int_equal(reached(&member, address, ASKED), ASKED);
		assert_int_equal(order(&member, ACCEPT, "", 0, 0).port, ASKED);
		assert_int_equal(reached(&member, address, OWN), OWN);
		assert_int_equal(reached(&sibling, address, ASKED), OWN);
		assert_int_equal(reached(&stranger, address, OWN), OWN);
		order(&member, CLOSE_ALL, "", 0, 0);
	}
	assert_int_equal(has(&member, BIND, "127.0.0.1", ASKED, DATAGRAM), ASKED);
	assert_int_equal(has(&member, BIND, "127.0.0.1", OWN, DATAGRAM), OWN);
	lift(w, run);
	lift(w, of_sibling);
}

/* --- protected ports --- */

TEST_WITH(protected_port_is_bound_by_its_run_alone, struct watcher *w)
{
	static const char *const addresses[] = { "127.0.0.1", "0.0.0.0", "::", "::1" };
	struct child stranger = start_child(run_obedient), member;
	const struct event *e;
	uint32_t run;

	member = begin(w, OWN, 0, &run);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		int error = refused(&stranger, LISTEN, addresses[i], OWN, REUSEPORT);

		assert_true(error == EADDRINUSE || error == EPERM);
		error = refused(&stranger, BIND, addresses[i], OWN, DATAGRAM);
		assert_true(error == EADDRINUSE || error == EPERM);
	}
	e = await_event(w, EVENT_FAIL, stranger.pid);
	assert_int_equal(e->stage, EVENT_STAGE_PROTECTED);
	assert_int_equal(bound(&stranger, "127.0.0.1", OTHER), OTHER);
	assert_int_equal(bound(&member, "0.0.0.0", OWN), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, false), 0);
	assert_int_equal(bound(&stranger, "0.0.0.0", OWN), OWN);
	lift(w, run);
}

TEST_WITH(port_of_another_network_namespace_is_not_protected_nor_rewritten, struct watcher *w)
{
	struct child stranger = start_child(run_obedient), member;
	uint32_t run;

	member = begin(w, OWN, 1, &run);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	assert_int_equal(order(&stranger, LEAVE_NETWORK, "", 0, 0).error, 0);
	assert_int_equal(bound(&stranger, "127.0.0.1", OWN), OWN);
	assert_int_equal(order(&member, LEAVE_NETWORK, "", 0, 0).error, 0);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED), ASKED);
	ASK(w->sentinel, protect_port, OWN, false);
	lift(w, run);
}

static int start_watching_apart(void **state)
{
	int r;

#ifdef BY_ORDERS
	setenv(MAPS_ORDERS_VARIABLE, "1", true);
#endif
	r = leave_network() ?: start_watching(state);
	/* as the daemon does: from here on it has descriptors, and no right */
	return r ?: take_capabilities(false);
}

WATCHING_TEST_MAIN(start_watching_apart, stop_watching)
