/* SPDX-License-Identifier: MIT */
/* Whether a port is free: the walk of the kernel's bind table says what sock_diag says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "kernel/asker.h"
#include "unit/inventory/netns.h"

#define PORT 3000

/* The same question to an inventory that walks and to one that has sock_diag only. */
static bool both_say_free(const struct asker *a, uint16_t port)
{
	const struct kernel_source nothing = { 0 };
	struct inventory *lists;
	bool walked, listed;

	need_probe(a, "walk");
	assert_int_equal(inventory_new(&nothing, &lists), 0);
	assert_int_equal(inventory_port_is_free(a->inventory, port, &walked), 0);
	assert_int_equal(inventory_port_is_free(lists, port, &listed), 0);
	inventory_free(lists);
	assert_int_equal(walked, listed);
	return walked;
}

static void port_without_a_socket_is_free(void **state)
{
	assert_true(both_say_free(*state, PORT));
}

static void socket_of_any_kind_takes_the_port_until_it_closes(void **state)
{
	static const struct {
		int family, type, flags;
	} kinds[] = {
		{ AF_INET, SOCK_STREAM, NETNS_LISTEN },
		{ AF_INET6, SOCK_STREAM, NETNS_LISTEN },
		{ AF_INET, SOCK_STREAM, 0 },
		{ AF_INET6, SOCK_STREAM, NETNS_V6ONLY },
		{ AF_INET, SOCK_DGRAM, 0 },
		{ AF_INET6, SOCK_DGRAM, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int fd = netns_bind(kinds[i].family, kinds[i].type, NULL, PORT, kinds[i].flags);

		assert_true(fd >= 0);
		assert_false(both_say_free(*state, PORT));
		close(fd);
		assert_true(both_say_free(*state, PORT));
	}
}

static void accepted_connection_takes_the_port_after_its_listener(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT + 1) };
	int listener = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT + 1, NETNS_LISTEN);
	_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM, 0), server = -1;

	assert_true(listener >= 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	close(listener);
	assert_false(both_say_free(*state, PORT + 1));
}

static void time_wait_does_not_take_the_port(void **state)
{
	time_t deadline = time(NULL) + 10;

	assert_int_equal(netns_make_time_wait(PORT), 0);
	while (!both_say_free(*state, PORT))
		assert_true(time(NULL) < deadline);
}

static int start_in_a_namespace(void **state)
{
	return netns_enter() ?: start_asking(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_without_a_socket_is_free),
		cmocka_unit_test(socket_of_any_kind_takes_the_port_until_it_closes),
		cmocka_unit_test(accepted_connection_takes_the_port_after_its_listener),
		cmocka_unit_test(time_wait_does_not_take_the_port),
	};

	return cmocka_run_group_tests_name("port free", tests, start_in_a_namespace, stop_asking);
}
