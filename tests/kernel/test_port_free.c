/* SPDX-License-Identifier: MIT */
/* Whether a port is free: the walk of the kernel's bind table says what sock_diag says. */
#include <time.h>

#include "kernel/asker.h"
#include "testing.h"
#include "unit/inventory/netns.h"

#define PORT 3000

static int held = -1; /* the socket of the test that runs */

static void hold(int family, int type, uint16_t port, int flags)
{
	held = netns_bind(family, type, NULL, port, flags);
	assert_true(held >= 0);
}

/* Also behind a failed assert: the port is free for the next test. */
static int let_go(void **state)
{
	closep(&held);
	held = -1;
	return 0;
}

static bool walk_says_free(const struct asker *a, uint16_t port)
{
	bool free;

	need_probe(a, "walk");
	assert_int_equal(inventory_port_is_free(a->inventory, port, &free), 0);
	return free;
}

/* An inventory that has nothing else to ask. */
static bool sock_diag_says_free(uint16_t port)
{
	const struct kernel_source nothing = { 0 };
	struct inventory *lists;
	bool free;

	assert_int_equal(inventory_new(&nothing, &lists), 0);
	assert_int_equal(inventory_port_is_free(lists, port, &free), 0);
	inventory_free(lists);
	return free;
}

static bool both_say_free(const struct asker *a, uint16_t port)
{
	bool walked = walk_says_free(a, port);

	assert_int_equal(sock_diag_says_free(port), walked);
	return walked;
}

TEST_WITH(port_without_a_socket_is_free, struct asker *a)
{
	assert_true(both_say_free(a, PORT));
}

static void socket_takes_the_port_until_it_closes(const struct asker *a, int family, int type,
						  int flags)
{
	hold(family, type, PORT, flags);
	assert_false(both_say_free(a, PORT));
	let_go(NULL);
	assert_true(both_say_free(a, PORT));
}

TEST_WITH(listener_takes_the_port_until_it_closes, struct asker *a)
{
	socket_takes_the_port_until_it_closes(a, AF_INET, SOCK_STREAM, NETNS_LISTEN);
	socket_takes_the_port_until_it_closes(a, AF_INET6, SOCK_STREAM, NETNS_LISTEN);
}

TEST_WITH(udp_socket_takes_the_port_until_it_closes, struct asker *a)
{
	socket_takes_the_port_until_it_closes(a, AF_INET, SOCK_DGRAM, 0);
	socket_takes_the_port_until_it_closes(a, AF_INET6, SOCK_DGRAM, 0);
}

/* 91051f003948 ("tcp: Dump bound-only sockets in inet_diag.", 6.8): before, only the walk can. */
static bool sock_diag_lists_bound_sockets(void)
{
	bool listed;

	hold(AF_INET, SOCK_STREAM, PORT + 2, 0);
	listed = !sock_diag_says_free(PORT + 2);
	let_go(NULL);
	if (!listed)
		print_message("# sock_diag lists no sockets that are merely bound here\n");
	return listed;
}

TEST_WITH(socket_that_is_merely_bound_takes_the_port_until_it_closes, struct asker *a)
{
	static const struct {
		int family, flags;
	} kinds[] = { { AF_INET, 0 }, { AF_INET6, NETNS_V6ONLY } };
	bool listed = sock_diag_lists_bound_sockets();

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		hold(kinds[i].family, SOCK_STREAM, PORT, kinds[i].flags);
		assert_false(walk_says_free(a, PORT));
		assert_int_equal(sock_diag_says_free(PORT), !listed);
		let_go(NULL);
		assert_true(both_say_free(a, PORT));
	}
}

TEST_WITH(accepted_connection_takes_the_port_after_its_listener, struct asker *a)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT + 1) };
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM, 0), server = -1;

	hold(AF_INET, SOCK_STREAM, PORT + 1, NETNS_LISTEN);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	server = accept(held, NULL, NULL);
	assert_true(server >= 0);
	let_go(NULL);
	assert_false(both_say_free(a, PORT + 1));
}

TEST_WITH(time_wait_does_not_take_the_port, struct asker *a)
{
	time_t deadline = time(NULL) + 10;

	assert_int_equal(netns_make_time_wait(PORT), 0);
	while (!both_say_free(a, PORT))
		assert_true(time(NULL) < deadline);
}

static int start_in_a_namespace(void **state)
{
	return netns_enter() ?: start_asking(state);
}

int main(void)
{
	set_up_each_test(NULL, let_go);
	return cmocka_run_group_tests_name(__BASE_FILE__, tests, start_in_a_namespace, stop_asking);
}
