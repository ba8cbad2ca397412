/* SPDX-License-Identifier: MIT */
/* Which listeners of one port are two servers. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "explain/two_servers.h"
#include "testing.h"

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

/* What is said of the port, until the next call; "" where it is one server. */
static const char *warning(struct inventory *inv)
{
	static char text[TWO_SERVERS_WARNING_SIZE];

	if (!two_servers_warning(inv, inventory_own_netns(inv), IPPROTO_TCP, PORT, text))
		assert_string_equal(text, "");
	return text;
}

/* Both listen on every address. */
static void start_two(struct inventory *inv, pid_t first, pid_t its_parent, pid_t second,
		      pid_t parent_of_second)
{
	describe(inv, first, its_parent);
	describe(inv, second, parent_of_second);
	listens(inv, first, 1, 0);
	assert_string_equal(warning(inv), "");
	listens(inv, second, 2, 0);
}

TEST_WITH(two_that_a_shell_started_and_that_share_an_address_are_two_servers, struct inventory *inv)
{
	start_two(inv, FIRST, SHELL, SECOND, SHELL);
	assert_string_equal(warning(inv),
			    "two servers share port 3000 with SO_REUSEPORT: python3 (pid 5000003) "
			    "and python3 (pid 5000004); a connection reaches either by chance");
}

TEST_WITH(two_that_nobody_launched_together_are_two_servers, struct inventory *inv)
{
	start_two(inv, FIRST, SHELL, SECOND, MASTER);
	assert_string_not_equal(warning(inv), "");
}

TEST_WITH(workers_of_one_master_are_one_server, struct inventory *inv)
{
	start_two(inv, FIRST, MASTER, SECOND, MASTER);
	assert_string_equal(warning(inv), "");
}

TEST_WITH(master_and_worker_are_one_server, struct inventory *inv)
{
	start_two(inv, MASTER, SHELL, FIRST, MASTER);
	assert_string_equal(warning(inv), "");
}

TEST_WITH(sockets_of_several_addresses_are_not_shared, struct inventory *inv)
{
	describe(inv, FIRST, SHELL);
	describe(inv, SECOND, SHELL);
	listens(inv, FIRST, 1, 1);
	listens(inv, SECOND, 2, 2);
	assert_string_equal(warning(inv), "");
	listens(inv, SECOND, 3, 1);
	assert_string_not_equal(warning(inv), "");
}

EACH_TEST_MAIN(setup, teardown)
