/* SPDX-License-Identifier: MIT */
/* Holders that answer to their descriptors' numbers, and those that do not. */
#include <errno.h>

#include "base/clock.h"
#include "unit/inventory/table_world.h"

#define COOKIE 10

static const struct inventory_place from_the_start;

/* Process n has the socket under descriptor 3; all of them are known by a full pass. */
static void start_servers(struct world *w, unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		fake_hold(&w->fake, fake_id(i), COOKIE, 3, n);
	assert_int_equal(inventory_resync(w->inv, 1, NULL, NULL), 0);
	w->fake.passes = 0;
}

/* As a listing of all ports does, or a question about this one. */
static void ask_for(struct world *w, bool listing)
{
	inventory_refresh(w->inv);
	if (listing)
		assert_int_equal(inventory_recheck(w->inv, from_the_start, SIZE_MAX, NULL, NULL),
				 0);
	assert_int_equal(inventory_verify_port(w->inv, FAKE_NETNS, PORT), 0);
}

static void ask(struct world *w)
{
	ask_for(w, true);
}

TEST_WITH(holders_that_answer_are_not_looked_at, struct world *w)
{
	start_servers(w, 3);
	ask(w);
	assert_int_equal(w->fake.rechecks, 1);
	assert_int_equal(w->fake.looks, 0);
	assert_int_equal(w->fake.passes, 0);
	assert_int_equal(only_row(w)->n_holders, 3);
	assert_true(only_row(w)->complete);
}

TEST_WITH(a_port_alone_is_asked_for_by_recheck_too, struct world *w)
{
	start_servers(w, 2);
	ask_for(w, false);
	assert_int_equal(w->fake.rechecks, 1);
	assert_int_equal(w->fake.looks, 0);
}

TEST_WITH(who_closed_the_socket_is_looked_at_and_dropped, struct world *w)
{
	start_servers(w, 2);
	w->fake.n_fds = 0;
	fake_hold(&w->fake, fake_id(1), COOKIE, 3, 1);
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 2;
	ask(w);
	assert_int_equal(w->fake.passes, 0);
	assert_int_equal(only_row(w)->n_holders, 1);
	assert_int_equal(only_row(w)->holders[0].id.pid, FAKE_PID + 1);
	assert_true(only_row(w)->complete);
}

TEST_WITH(who_moved_the_socket_is_looked_at_and_stays, struct world *w)
{
	start_servers(w, 1);
	w->fake.fds[0].fd = 7;
	ask(w);
	assert_int_equal(w->fake.looks, 1);
	assert_int_equal(only_row(w)->holders[0].fds[0], 7);
	assert_int_equal(only_row(w)->holders[0].fd_count, 1);
}

TEST_WITH(who_copied_its_descriptor_is_looked_at_and_no_pass_is_made, struct world *w)
{
	start_servers(w, 1);
	w->fake.fds[0].refs = 2;
	fake_hold(&w->fake, fake_id(1), COOKIE, 9, 2);
	ask(w);
	assert_int_equal(w->fake.looks, 1);
	assert_int_equal(w->fake.passes, 0);
	assert_int_equal(only_row(w)->holders[0].fd_count, 2);
	assert_true(only_row(w)->complete);
}

TEST_WITH(a_reused_pid_does_not_answer, struct world *w)
{
	start_servers(w, 1);
	w->fake.fds[0].start_ticks += 500;
	ask(w);
	assert_false(only_row(w)->n_holders == 1 &&
		     only_row(w)->holders[0].id.start_ticks == fake_id(1).start_ticks);
}

/* The second one got it by a message: no event tells, the count of references does. */
TEST_WITH(an_inheritor_that_nobody_announced_is_searched_for, struct world *w)
{
	start_servers(w, 1);
	w->fake.n_fds = 0;
	fake_hold(&w->fake, fake_id(1), COOKIE, 3, 2);
	fake_hold(&w->fake, fake_id(2), COOKIE, 5, 2);
	while (only_row(w)->n_holders < 2)
		ask(w);
	assert_int_equal(w->fake.passes, 1);
	assert_true(only_row(w)->complete);
}

static int cannot_call(void *user_data, struct abi_hold *holds, size_t n)
{
	((struct fake *)user_data)->rechecks++;
	return -EOPNOTSUPP;
}

TEST(a_source_that_cannot_call_is_asked_once)
{
	struct world w = { .inv = NULL };
	struct kernel_source source = fake_source(&w.fake);

	source.recheck_descriptors = cannot_call;
	assert_int_equal(inventory_new(&source, &w.inv), 0);
	start_servers(&w, 2);
	ask(&w);
	ask(&w);
	assert_int_equal(w.fake.rechecks, 1);
	assert_int_equal(w.fake.looks, 4);
	assert_int_equal(only_row(&w)->n_holders, 2);
	inventory_free(w.inv);
}

/* Asks on and on until a pass is made. */
static void ask_until_passed(struct world *w, bool listing)
{
	unsigned before = w->fake.passes;

	AWAIT(w->fake.passes != before, ask_for(w, listing));
}

/* The kernel tells of its end, and a descriptor of somebody hidden keeps it open. */
TEST_WITH(a_listing_searches_less_often_than_the_question_about_the_port, struct world *w)
{
	int64_t began;

	start_servers(w, 1);
	w->fake.n_fds = 0;
	ask_until_passed(w, false);
	ask_until_passed(w, false);
	began = clock_ms(CLOCK_MONOTONIC);
	ask_until_passed(w, false);
	assert_true(clock_ms(CLOCK_MONOTONIC) - began < 500);
	began = clock_ms(CLOCK_MONOTONIC);
	ask_until_passed(w, true);
	assert_true(clock_ms(CLOCK_MONOTONIC) - began > 500);
}

EACH_TEST_MAIN(setup, teardown)
