/* SPDX-License-Identifier: MIT */
/* Who was in the way of a refused call, and what the log says of it. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "explain/brief.h"
#include "testing.h"

static struct event refusal(pid_t pid, uint16_t port)
{
	return (struct event){
		.kind = EVENT_FAIL,
		.actor = { .pid = pid, .start_ticks = 7 },
		.family = AF_INET,
		.port = port,
		.call = EVENT_CALL_BIND,
		.error = EADDRINUSE,
	};
}

static void describe(const struct event *e, const struct inventory *inv, unsigned repeated,
		     char *ret)
{
	struct why_obstacle obstacle;
	bool found = why_in_the_way(e, inv, &obstacle);

	why_describe_refusal(e, found ? &obstacle : NULL, repeated, ret);
}

TEST(description_names_call_address_and_errno)
{
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	e.error = EACCES;
	e.family = AF_INET6;
	e.call = EVENT_CALL_LISTEN;
	describe(&e, NULL, 3, text);
	assert_string_equal(text, "listen [::]:3000: EACCES (and 3 times more before)");
}

/* A table that knows of one listener, 12, held by "node" (94120). */
static struct inventory *table_with_a_listener(void)
{
	struct event process = { .kind = EVENT_PROCESS,
				 .actor = { .pid = 94120, .start_ticks = 7 } };
	struct event listens = {
		.kind = EVENT_LISTEN,
		.actor = process.actor,
		.cookie = 12,
		.inode = 34,
		.protocol = IPPROTO_TCP,
		.family = AF_INET,
		.port = 3000,
	};
	const struct kernel_source nobody = { 0 };
	struct inventory *inv = NULL;
	bool settle = false;

	strcpy(process.comm, "node");
	process.process.id = process.actor;
	strcpy(process.process.comm, "node");
	assert_int_equal(inventory_new(&nobody, &inv), 0);
	listens.netns = inventory_own_netns(inv);
	assert_int_equal(inventory_apply(inv, &process, 1000, NULL, NULL, &settle), 0);
	assert_int_equal(inventory_apply(inv, &listens, 1000, NULL, NULL, &settle), 0);
	return inv;
}

TEST(description_names_the_owner_of_that_moment)
{
	struct inventory *inv = table_with_a_listener();
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	e.netns = inventory_own_netns(inv);
	e.n_owners = 1;
	e.owners[0] = (struct bind_owner){ .cookie = 12, .state = SOCKET_LISTEN };
	describe(&e, inv, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
	inventory_free(inv);
}

TEST(owner_of_that_moment_counts_and_not_who_listens_by_now)
{
	struct inventory *inv = table_with_a_listener();
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	e.netns = inventory_own_netns(inv);
	e.n_owners = 1;
	e.owners[0] = (struct bind_owner){ .minisocket = true, .state = SOCKET_TIME_WAIT };
	describe(&e, inv, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; the port has a connection in "
				  "TIME_WAIT");
	inventory_free(inv);
}

TEST(table_is_asked_where_the_owners_were_not_seen)
{
	struct inventory *inv = table_with_a_listener();
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	e.netns = inventory_own_netns(inv);
	describe(&e, inv, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
	inventory_free(inv);
}

TEST(listener_behind_too_many_connections_is_known_to_the_table)
{
	struct inventory *inv = table_with_a_listener();
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	e.netns = inventory_own_netns(inv);
	e.n_owners = 1;
	e.more_owners = true;
	e.owners[0] = (struct bind_owner){ .cookie = 99,
					   .state = SOCKET_ESTABLISHED,
					   .peer_port = 40000 };
	describe(&e, inv, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
	inventory_free(inv);
}

/* Before it was searched for, nothing is said of who holds it; nor is it called hidden. */
TEST(nobody_is_called_unseen_who_was_not_looked_for)
{
	struct why_obstacle obstacle = { .state = SOCKET_ESTABLISHED };
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	assert_true(why_obstacle_is_open(&obstacle));
	why_describe_refusal(&e, &obstacle, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; the port has a connection "
				  "(ESTAB)");
	obstacle.searched = true;
	why_describe_refusal(&e, &obstacle, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; the port has a connection "
				  "(ESTAB) that no process is seen to hold");
	obstacle.holder.pid = 77;
	strcpy(obstacle.comm, "curl");
	assert_false(why_obstacle_is_open(&obstacle));
	why_describe_refusal(&e, &obstacle, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; held by a connection of curl "
				  "(77)");
}

TEST(callers_own_socket_is_not_in_its_way)
{
	struct inventory *inv = table_with_a_listener();
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	e.call = EVENT_CALL_LISTEN;
	e.cookie = 11;
	e.n_owners = 2;
	e.owners[0] = (struct bind_owner){ .cookie = 11, .state = SOCKET_BOUND };
	e.owners[1] = (struct bind_owner){ .cookie = 12, .state = SOCKET_LISTEN };
	describe(&e, inv, 0, text);
	assert_string_equal(text, "listen 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
	inventory_free(inv);
}

TEST(answer_in_the_kernels_place_is_said)
{
	struct event e = refusal(10, 3000);
	char text[WHY_DETAILS_SIZE];

	e.error = EPERM;
	e.no_entry = true;
	describe(&e, NULL, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:3000: EPERM; answered in the kernel's place "
				  "(a seccomp filter)");
}

TEST(answer_of_a_program_is_said_whoever_owns_the_port)
{
	static const enum event_stage stages[] = { EVENT_STAGE_DENIED, EVENT_STAGE_BOUND };
	struct inventory *inv = table_with_a_listener();
	char text[WHY_DETAILS_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		struct event e = refusal(10, 3000);

		e.netns = inventory_own_netns(inv);
		e.stage = stages[i];
		describe(&e, inv, 0, text);
		assert_string_equal(text, "bind 0.0.0.0:3000: EADDRINUSE; answered by a BPF "
					  "program of its cgroup");
	}
	inventory_free(inv);
}

TEST(rewritten_port_is_said_and_who_holds_it)
{
	struct inventory *inv = table_with_a_listener();
	struct event e = refusal(10, 4000);
	char text[WHY_DETAILS_SIZE];

	e.netns = inventory_own_netns(inv);
	e.stage = EVENT_STAGE_PASSED;
	e.given_port = 3000;
	describe(&e, inv, 0, text);
	assert_string_equal(text, "bind 0.0.0.0:4000: EADDRINUSE; made 0.0.0.0:3000 by a BPF "
				  "program of its cgroup; held by node (94120)");
	inventory_free(inv);
}

/* Two listeners, and the first that was listed does not meet the address that was asked for. */
static struct event refusal_beside_another_address(const struct inventory *inv)
{
	struct event e = refusal(10, 3000);

	e.netns = inventory_own_netns(inv);
	e.addr.bytes[0] = 127;
	e.addr.bytes[3] = 1;
	e.n_owners = 2;
	e.owners[0] =
		(struct bind_owner){ .cookie = 99, .family = AF_INET, .state = SOCKET_LISTEN };
	e.owners[0].addr.bytes[0] = 127;
	e.owners[0].addr.bytes[3] = 2;
	e.owners[1] =
		(struct bind_owner){ .cookie = 12, .family = AF_INET, .state = SOCKET_LISTEN };
	return e;
}

TEST(owner_that_does_not_overlap_is_not_blamed)
{
	struct inventory *inv = table_with_a_listener();
	struct event e = refusal_beside_another_address(inv);
	struct why_obstacle obstacle;
	char text[WHY_DETAILS_SIZE];

	describe(&e, inv, 0, text);
	assert_string_equal(text, "bind 127.0.0.1:3000: EADDRINUSE; held by node (94120)");
	assert_true(why_in_the_way(&e, inv, &obstacle));
	assert_int_equal(obstacle.holder.pid, 94120);
	inventory_free(inv);
}

TEST(nobody_is_in_the_way_of_a_call_that_was_answered_elsewhere)
{
	struct inventory *inv = table_with_a_listener();
	struct event program = refusal(10, 3000), filter = refusal(10, 3000);
	struct event other = refusal(10, 3000);
	struct why_obstacle obstacle;

	program.netns = filter.netns = other.netns = inventory_own_netns(inv);
	program.stage = EVENT_STAGE_DENIED;
	filter.no_entry = true;
	other.error = EACCES;
	assert_false(why_in_the_way(&program, inv, &obstacle));
	assert_false(why_in_the_way(&filter, inv, &obstacle));
	assert_false(why_in_the_way(&other, inv, &obstacle));
	inventory_free(inv);
}

TEST_MAIN(NULL, NULL)
