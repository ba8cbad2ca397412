/* SPDX-License-Identifier: MIT */
/* Holders that answer to their descriptors' numbers, and those that do not. */
#include <errno.h>
#include <time.h>

#include "testing.h"
#include "unit/inventory/fake.h"

#define PORT	   3000
#define COOKIE	   10
#define DEADLINE_S 20

static const struct inventory_place from_the_start;

struct world {
	struct fake fake;
	struct inventory *inv;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct kernel_source source = fake_source(&w->fake);

	*state = w;
	return inventory_new(&source, &w->inv);
}

static int teardown(void **state)
{
	struct world *w = *state;

	inventory_free(w->inv);
	free(w);
	return 0;
}

/* Process n has the socket under descriptor 3; all of them are known by a full pass. */
static void start_servers(struct world *w, unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		fake_hold(&w->fake, fake_id(i), COOKIE, 3, n);
	assert_int_equal(inventory_resync(w->inv, 1, NULL, NULL), 0);
	w->fake.passes = 0;
}

static void ask(struct world *w)
{
	inventory_refresh(w->inv);
	assert_int_equal(inventory_recheck(w->inv, from_the_start, SIZE_MAX, NULL, NULL), 0);
	assert_int_equal(inventory_verify_port(w->inv, FAKE_NETNS, PORT), 0);
}

static const struct socket_row *only_row(struct world *w)
{
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(w->inv, FAKE_NETNS, PORT, &row, 1), 1);
	return row;
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
	inventory_refresh(w->inv);
	assert_int_equal(inventory_verify_port(w->inv, FAKE_NETNS, PORT), 0);
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
	time_t deadline = time(NULL) + DEADLINE_S;

	while (w->fake.passes == before) {
		assert_true(time(NULL) < deadline);
		inventory_refresh(w->inv);
		if (listing)
			assert_int_equal(
				inventory_recheck(w->inv, from_the_start, SIZE_MAX, NULL, NULL), 0);
		assert_int_equal(inventory_verify_port(w->inv, FAKE_NETNS, PORT), 0);
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The kernel tells of its end, and a descriptor of somebody hidden keeps it open. */
TEST_WITH(a_listing_searches_less_often_than_the_question_about_the_port, struct world *w)
{
	int64_t began;

	start_servers(w, 1);
	w->fake.n_fds = 0;
	ask_until_passed(w, false);
	ask_until_passed(w, false);
	began = now_ms();
	ask_until_passed(w, false);
	assert_true(now_ms() - began < 500);
	began = now_ms();
	ask_until_passed(w, true);
	assert_true(now_ms() - began > 500);
}

EACH_TEST_MAIN(setup, teardown)
