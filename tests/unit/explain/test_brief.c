/* SPDX-License-Identifier: MIT */
/* Who was in the way of a refused call, and what the log says of it. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "explain/brief.h"
#include "testing.h"

/* Of process 10, where the table is. */
static struct event refusal(const struct inventory *inv, uint16_t port)
{
	return (struct event){
		.kind = EVENT_FAIL,
		.actor = { .pid = 10, .start_ticks = 7 },
		.netns = inv ? inventory_own_netns(inv) : 0,
		.family = AF_INET,
		.port = port,
		.call = EVENT_CALL_BIND,
		.error = EADDRINUSE,
	};
}

/* Of what is in its way, or NULL. */
static void assert_says(const struct event *e, const struct why_obstacle *obstacle,
			unsigned repeated, const char *expected)
{
	char text[WHY_DETAILS_SIZE];

	why_describe_refusal(e, obstacle, repeated, text);
	assert_string_equal(text, expected);
}

static void assert_described(const struct event *e, const struct inventory *inv,
			     const char *expected)
{
	struct why_obstacle obstacle;
	bool found = why_in_the_way(e, inv, &obstacle);

	assert_says(e, found ? &obstacle : NULL, 0, expected);
}

TEST_ALONE(description_names_call_address_and_errno)
{
	struct event e = refusal(NULL, 3000);

	e.error = EACCES;
	e.family = AF_INET6;
	e.call = EVENT_CALL_LISTEN;
	assert_says(&e, NULL, 3, "listen [::]:3000: EACCES (and 3 times more before)");
}

/* A table that knows of one listener, 12, held by "node" (94120). */
static int open_table(void **state)
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
	bool settle;

	strcpy(process.comm, "node");
	process.process.id = process.actor;
	strcpy(process.process.comm, "node");
	assert_int_equal(inventory_new(&nobody, &inv), 0);
	listens.netns = inventory_own_netns(inv);
	assert_int_equal(inventory_apply(inv, &process, 1000, NULL, NULL, &settle), 0);
	assert_int_equal(inventory_apply(inv, &listens, 1000, NULL, NULL, &settle), 0);
	*state = inv;
	return 0;
}

static int close_table(void **state)
{
	inventory_free(*state);
	return 0;
}

/* What was seen to have the port as the call was refused. */
static void add_owner(struct event *e, struct bind_owner owner)
{
	e->owners[e->n_owners++] = owner;
}

TEST_WITH(description_names_the_owner_of_that_moment, struct inventory *inv)
{
	struct event e = refusal(inv, 3000);

	add_owner(&e, (struct bind_owner){ .cookie = 12, .state = SOCKET_LISTEN });
	assert_described(&e, inv, "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
}

TEST_WITH(owner_of_that_moment_counts_and_not_who_listens_by_now, struct inventory *inv)
{
	struct event e = refusal(inv, 3000);

	add_owner(&e, (struct bind_owner){ .minisocket = true, .state = SOCKET_TIME_WAIT });
	assert_described(&e, inv,
			 "bind 0.0.0.0:3000: EADDRINUSE; the port has a connection in TIME_WAIT");
}

TEST_WITH(table_is_asked_where_the_owners_were_not_seen, struct inventory *inv)
{
	struct event e = refusal(inv, 3000);

	assert_described(&e, inv, "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
}

TEST_WITH(listener_behind_too_many_connections_is_known_to_the_table, struct inventory *inv)
{
	struct event e = refusal(inv, 3000);

	e.more_owners = true;
	add_owner(&e, (struct bind_owner){
			      .cookie = 99, .state = SOCKET_ESTABLISHED, .peer_port = 40000 });
	assert_described(&e, inv, "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
}

/* Before it was searched for, nothing is said of who holds it; nor is it called hidden. */
TEST_ALONE(nobody_is_called_unseen_who_was_not_looked_for)
{
	struct why_obstacle obstacle = { .state = SOCKET_ESTABLISHED };
	struct event e = refusal(NULL, 3000);

	assert_true(why_obstacle_is_open(&obstacle));
	assert_says(&e, &obstacle, 0,
		    "bind 0.0.0.0:3000: EADDRINUSE; the port has a connection (ESTAB)");
	obstacle.searched = true;
	assert_says(&e, &obstacle, 0,
		    "bind 0.0.0.0:3000: EADDRINUSE; the port has a connection (ESTAB) "
		    "that no process is seen to hold");
	obstacle.holder.pid = 77;
	strcpy(obstacle.comm, "curl");
	assert_false(why_obstacle_is_open(&obstacle));
	assert_says(&e, &obstacle, 0,
		    "bind 0.0.0.0:3000: EADDRINUSE; held by a connection of curl (77)");
}

TEST_WITH(callers_own_socket_is_not_in_its_way, struct inventory *inv)
{
	struct event e = refusal(inv, 3000);

	e.call = EVENT_CALL_LISTEN;
	e.cookie = 11;
	add_owner(&e, (struct bind_owner){ .cookie = 11, .state = SOCKET_BOUND });
	add_owner(&e, (struct bind_owner){ .cookie = 12, .state = SOCKET_LISTEN });
	assert_described(&e, inv, "listen 0.0.0.0:3000: EADDRINUSE; held by node (94120)");
}

TEST_ALONE(answer_in_the_kernels_place_is_said)
{
	struct event e = refusal(NULL, 3000);

	e.error = EPERM;
	e.no_entry = true;
	assert_described(&e, NULL,
			 "bind 0.0.0.0:3000: EPERM; answered in the kernel's place "
			 "(a seccomp filter)");
}

TEST_WITH(answer_of_a_program_is_said_whoever_owns_the_port, struct inventory *inv)
{
	static const enum event_stage stages[] = { EVENT_STAGE_DENIED, EVENT_STAGE_BOUND };

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		struct event e = refusal(inv, 3000);

		e.stage = stages[i];
		assert_described(&e, inv,
				 "bind 0.0.0.0:3000: EADDRINUSE; answered by a BPF "
				 "program of its cgroup");
	}
}

TEST_WITH(rewritten_port_is_said_and_who_holds_it, struct inventory *inv)
{
	struct event e = refusal(inv, 4000);

	e.stage = EVENT_STAGE_PASSED;
	e.given_port = 3000;
	assert_described(&e, inv,
			 "bind 0.0.0.0:4000: EADDRINUSE; made 0.0.0.0:3000 by a BPF "
			 "program of its cgroup; held by node (94120)");
}

/* Two listeners, and the first that was listed does not meet the address that was asked for. */
TEST_WITH(owner_that_does_not_overlap_is_not_blamed, struct inventory *inv)
{
	struct event e = refusal(inv, 3000);
	struct why_obstacle obstacle;

	e.addr = (struct net_addr){ .bytes = { 127, 0, 0, 1 } };
	add_owner(&e, (struct bind_owner){ .cookie = 99,
					   .family = AF_INET,
					   .state = SOCKET_LISTEN,
					   .addr.bytes = { 127, 0, 0, 2 } });
	add_owner(&e,
		  (struct bind_owner){ .cookie = 12, .family = AF_INET, .state = SOCKET_LISTEN });
	assert_described(&e, inv, "bind 127.0.0.1:3000: EADDRINUSE; held by node (94120)");
	assert_true(why_in_the_way(&e, inv, &obstacle));
	assert_int_equal(obstacle.holder.pid, 94120);
}

TEST_WITH(nobody_is_in_the_way_of_a_call_that_was_answered_elsewhere, struct inventory *inv)
{
	struct event program = refusal(inv, 3000), filter = refusal(inv, 3000);
	struct event other = refusal(inv, 3000);
	struct why_obstacle obstacle;

	program.stage = EVENT_STAGE_DENIED;
	filter.no_entry = true;
	other.error = EACCES;
	assert_false(why_in_the_way(&program, inv, &obstacle));
	assert_false(why_in_the_way(&filter, inv, &obstacle));
	assert_false(why_in_the_way(&other, inv, &obstacle));
}

EACH_TEST_MAIN(open_table, close_table)
