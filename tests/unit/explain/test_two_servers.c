/* SPDX-License-Identifier: MIT */
/* Which listeners of one port are two servers. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "explain/two_servers.h"

#define PORT   3000
#define SHELL  5000001 /* above the kernel's largest pid: /proc knows none of them */
#define MASTER 5000002
#define FIRST  5000003
#define SECOND 5000004

static int setup(void **state)
{
	const struct kernel_source nobody = { 0 };
	struct inventory *inv = NULL;
	int r = inventory_new(&nobody, &inv);

	*state = inv;
	return r;
}

static int teardown(void **state)
{
	inventory_free(*state);
	return 0;
}

static void apply(struct inventory *inv, struct event e)
{
	bool settle;

	assert_int_equal(inventory_apply(inv, &e, 1, NULL, NULL, &settle), 0);
}

static void describe(struct inventory *inv, pid_t pid, pid_t parent)
{
	struct event e = { .kind = EVENT_PROCESS,
			   .boot_ns = UINT64_MAX,
			   .actor = { .pid = pid, .start_ticks = 7 } };

	strcpy(e.comm, "python3");
	e.process.id = e.actor;
	e.process.uid = 1000;
	strcpy(e.process.comm, "python3");
	e.process.n_ancestors = 1;
	e.process.ancestors[0].id = (struct process_id){ parent, 7 };
	strcpy(e.process.ancestors[0].comm, parent == SHELL ? "bash" : "python3");
	apply(inv, e);
}

static void listens(struct inventory *inv, pid_t pid, uint64_t cookie, uint8_t last_byte)
{
	struct event e = { .kind = EVENT_LISTEN,
			   .boot_ns = UINT64_MAX,
			   .actor = { .pid = pid, .start_ticks = 7 },
			   .cookie = cookie,
			   .inode = cookie + 100,
			   .netns = inventory_own_netns(inv),
			   .protocol = IPPROTO_TCP,
			   .family = AF_INET,
			   .port = PORT };

	if (last_byte)
		e.addr.bytes[0] = 127;
	e.addr.bytes[3] = last_byte;
	apply(inv, e);
}

static bool warning(struct inventory *inv, char ret[TWO_SERVERS_WARNING_SIZE])
{
	return two_servers_warning(inv, inventory_own_netns(inv), IPPROTO_TCP, PORT, ret);
}

static void two_that_a_shell_started_and_that_share_an_address_are_two_servers(void **state)
{
	char text[TWO_SERVERS_WARNING_SIZE];

	describe(*state, FIRST, SHELL);
	describe(*state, SECOND, SHELL);
	listens(*state, FIRST, 1, 0);
	assert_false(warning(*state, text));
	listens(*state, SECOND, 2, 0);
	assert_true(warning(*state, text));
	assert_string_equal(text, "two servers share port 3000 with SO_REUSEPORT: python3 (pid "
				  "5000003) and python3 (pid 5000004); a connection reaches either "
				  "by chance");
}

static void two_that_nobody_launched_together_are_two_servers(void **state)
{
	char text[TWO_SERVERS_WARNING_SIZE];

	describe(*state, FIRST, SHELL);
	describe(*state, SECOND, MASTER);
	listens(*state, FIRST, 1, 0);
	listens(*state, SECOND, 2, 0);
	assert_true(warning(*state, text));
}

static void workers_of_one_master_are_one_server(void **state)
{
	char text[TWO_SERVERS_WARNING_SIZE];

	describe(*state, FIRST, MASTER);
	describe(*state, SECOND, MASTER);
	listens(*state, FIRST, 1, 0);
	listens(*state, SECOND, 2, 0);
	assert_false(warning(*state, text));
	assert_string_equal(text, "");
}

static void master_and_worker_are_one_server(void **state)
{
	char text[TWO_SERVERS_WARNING_SIZE];

	describe(*state, MASTER, SHELL);
	describe(*state, FIRST, MASTER);
	listens(*state, MASTER, 1, 0);
	listens(*state, FIRST, 2, 0);
	assert_false(warning(*state, text));
}

static void sockets_of_several_addresses_are_not_shared(void **state)
{
	char text[TWO_SERVERS_WARNING_SIZE];

	describe(*state, FIRST, SHELL);
	describe(*state, SECOND, SHELL);
	listens(*state, FIRST, 1, 1);
	listens(*state, SECOND, 2, 2);
	assert_false(warning(*state, text));
	listens(*state, SECOND, 3, 1);
	assert_true(warning(*state, text));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(two_that_a_shell_started_and_that_share_an_address_are_two_servers),
		T(two_that_nobody_launched_together_are_two_servers),
		T(workers_of_one_master_are_one_server),
		T(master_and_worker_are_one_server),
		T(sockets_of_several_addresses_are_not_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
