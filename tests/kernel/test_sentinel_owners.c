/* SPDX-License-Identifier: MIT */
/* What a refusal of a taken port carries: who asked, and who owned the port just then. */
#include <linux/filter.h>
#include <sched.h>

#include "kernel/refusals.h"
#include "unit/inventory/netns.h"

#define MPTCP	      262
#define PID_MAX_LIMIT (4 * 1024 * 1024) /* include/linux/threads.h */
#define CONNECTIONS   12		/* more than a refusal carries */

static int switch_on(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one)) < 0 ? -errno : 0;
}

/* --- the port is taken --- */

static void run_with_flags(struct told *told)
{
	int victim = socket(AF_INET, SOCK_STREAM, 0);

	open_listener(0, told);
	told->error = told->error ?: switch_on(victim, SOL_SOCKET, SO_REUSEADDR);
	told->error = told->error ?: switch_on(victim, SOL_SOCKET, SO_REUSEPORT);
	told->error = told->error ?: refused_with(bind_to(victim, told->port), EADDRINUSE);
}

TEST_WITH(refusal_has_the_flags_and_the_owner_of_the_callers_socket, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_with_flags, NULL);

	assert_true(e->reuseaddr);
	assert_true(e->reuseport);
	assert_false(e->v6only);
	assert_false(e->has_program);
	assert_false(e->no_entry);
	assert_int_equal(e->sk_uid, geteuid());
	assert_int_equal(e->dev, 0);
	assert_int_equal(e->bound_port, 0);
}

TEST_WITH(refusal_has_the_owners_of_the_port, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_with_flags, &child);
	const struct bind_owner *owner = &e->owners[0];

	assert_int_equal(e->n_owners, 1);
	assert_false(e->more_owners);
	assert_int_equal(owner->cookie, child.told.cookie);
	assert_int_equal(owner->state, SOCKET_LISTEN);
	assert_int_equal(owner->protocol, IPPROTO_TCP);
	assert_int_equal(owner->family, AF_INET);
	assert_memory_equal(owner->addr.bytes, "\x7f\0\0\1", 4);
	assert_false(owner->reuseaddr);
	assert_false(owner->reuseport);
	assert_false(owner->port_asked); /* the kernel chose it */
	assert_int_equal(owner->uid, geteuid());
	assert_int_not_equal(owner->inode, 0);
	assert_int_equal(owner->file_refs, 1);
}

static void run_short_lived_listener(struct told *told)
{
	int fd = open_listener(0, told);

	find_it_taken(told, SOCK_STREAM);
	close(fd);
}

TEST_WITH(listener_that_is_gone_by_now_is_among_the_owners, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_short_lived_listener, &child);

	assert_listens(e, child.told.cookie);
	assert_int_equal(await_event(w, EVENT_CLOSE, child.pid)->cookie, child.told.cookie);
}

static void run_v6only(struct told *told)
{
	int owner = socket(AF_INET6, SOCK_STREAM, 0), victim = socket(AF_INET6, SOCK_STREAM, 0);

	told->error = bind6_to(owner, 0);
	told->cookie = cookie_of(owner);
	told->port = port_of(owner);
	told->error = told->error ?: switch_on(victim, IPPROTO_IPV6, IPV6_V6ONLY);
	told->error = told->error ?: refused_with(bind6_to(victim, told->port), EADDRINUSE);
}

TEST_WITH(ipv6_owner_that_only_is_bound_is_told_from_a_listener, struct watcher *w)
{
	struct child child = start_and_hear(run_v6only);
	const struct event *e;

	need_ipv6(child.told.error);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_true(e->v6only);
	assert_int_equal(e->n_owners, 1);
	assert_int_equal(e->owners[0].cookie, child.told.cookie);
	assert_int_equal(e->owners[0].state, SOCKET_BOUND);
	assert_memory_equal(e->owners[0].addr.bytes, &in6addr_loopback, 16);
}

static void run_udp(struct told *told)
{
	open_bound(SOCK_DGRAM, told);
	find_it_taken(told, SOCK_DGRAM);
}

TEST_WITH(udp_owner_is_found_among_udp_sockets, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_udp, &child);

	assert_int_equal(e->protocol, IPPROTO_UDP);
	if (!e->n_owners && sentinel_report(w->sentinel)->orders)
		skip(); /* before 5.17 the chains of UDP are not walked */
	assert_int_equal(e->n_owners, 1);
	assert_int_equal(e->owners[0].cookie, child.told.cookie);
	assert_int_equal(e->owners[0].protocol, IPPROTO_UDP);
}

static void run_mptcp(struct told *told)
{
	int victim = socket(AF_INET, SOCK_STREAM, MPTCP);

	open_listener(MPTCP, told);
	told->error = told->error ?: switch_on(victim, SOL_SOCKET, SO_REUSEADDR);
	told->error = told->error ?: refused_with(bind_to(victim, told->port), EADDRINUSE);
}

TEST_WITH(mptcp_caller_and_mptcp_owner_are_told_as_such, struct watcher *w)
{
	struct child child = start_and_hear(run_mptcp);
	const struct event *e;

	need_mptcp(child.told.error);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(e->protocol, MPTCP);
	assert_true(e->reuseaddr);
	assert_int_equal(e->n_owners, 1);
	assert_true(e->owners[0].mptcp);
	assert_int_equal(e->owners[0].state, SOCKET_LISTEN);
}

static void run_refused_listen(struct told *told)
{
	int first = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM, 0);

	told->error = switch_on(first, SOL_SOCKET, SO_REUSEADDR);
	told->error = told->error ?: switch_on(second, SOL_SOCKET, SO_REUSEADDR);
	told->error = told->error ?: bind_to(first, 0);
	told->error = told->error ?: bind_to(second, port_of(first));
	told->error = told->error ?: listen(first, 8) < 0 ? -errno : 0;
	told->error = told->error ?: refused_with(listen(second, 8) < 0 ? -errno : 0, EADDRINUSE);
	told->cookie = cookie_of(first);
}

TEST_WITH(refused_listen_has_the_rival_and_itself_among_the_owners, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_refused_listen, &child);

	assert_int_equal(e->call, EVENT_CALL_LISTEN);
	assert_listens(e, child.told.cookie);
	assert_true(owner_of(e, child.told.cookie)->reuseaddr);
	assert_non_null(owner_of(e, e->cookie));
	assert_int_equal(e->n_owners, 2);
}

static void run_busy_server(struct told *told)
{
	int fd = open_listener(0, told);

	for (int i = 0; i < CONNECTIONS && !told->error; i++)
		if (connect_to(socket(AF_INET, SOCK_STREAM, 0), told->port) < 0 ||
		    accept(fd, NULL, NULL) < 0)
			told->error = -errno;
	find_it_taken(told, SOCK_STREAM);
}

TEST_WITH(listener_comes_before_its_connections, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_busy_server, &child);

	assert_int_equal(e->n_owners, EVENT_OWNERS_MAX);
	assert_true(e->more_owners);
	assert_int_equal(e->owners[0].cookie, child.told.cookie);
	assert_int_equal(e->owners[1].state, SOCKET_ESTABLISHED);
	assert_int_not_equal(e->owners[1].peer_port, 0);
}

static void run_many_addresses(struct told *told)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	for (int i = 1; i <= 2 * EVENT_OWNERS_MAX; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		socklen_t n = sizeof(a);

		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i);
		if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 1) < 0 ||
		    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
			told->error = -errno;
		if (i == EVENT_OWNERS_MAX)
			told->cookie = cookie_of(fd);
	}
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + EVENT_OWNERS_MAX);
	if (bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)) == 0)
		told->error = -ENOTRECOVERABLE;
}

TEST_WITH(owner_of_the_asked_address_comes_first, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_many_addresses, &child);

	assert_int_equal(e->owners[0].cookie, child.told.cookie);
}

static void run_time_wait(struct told *told)
{
	int fd = open_listener(0, told), client = socket(AF_INET, SOCK_STREAM, 0), server;
	char end;

	told->error = told->error ?: connect_to(client, told->port);
	server = accept(fd, NULL, NULL);
	if (server < 0)
		told->error = -errno;
	close(fd);
	close(server);
	told->error = told->error ?: read(client, &end, 1) != 0 ? -EPROTO : 0;
	close(client);
	told->error = told->error ?: netns_await_time_wait(told->port);
	find_it_taken(told, SOCK_STREAM);
}

TEST_WITH(time_wait_entry_is_an_owner, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_time_wait, NULL);

	assert_int_equal(e->n_owners, 1);
	assert_true(e->owners[0].minisocket);
	assert_int_equal(e->owners[0].state, SOCKET_TIME_WAIT);
}

static void run_socket_of_another_netns(struct told *told)
{
	int victim = socket(AF_INET, SOCK_STREAM, 0);

	open_listener(0, told);
	if (unshare(CLONE_NEWNET) < 0)
		told->error = -errno;
	told->error = told->error ?: refused_with(bind_to(victim, told->port), EADDRINUSE);
}

TEST_WITH(owners_are_those_of_the_sockets_namespace, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_socket_of_another_netns, &child);

	assert_listens(e, child.told.cookie);
}

static int run_in_own_netns(struct act *act)
{
	struct told told = { 0 };

	act_leave_network(&told);
	if (!told.error)
		open_listener(0, &told);
	return act_stay(act, &told);
}

TEST_WITH(walk_by_a_process_is_one_of_its_namespace, struct watcher *w)
{
	struct child child = start_child(run_in_own_netns);
	struct told told = hear_well(&child);
	struct abi_walk asked = { .pid = (uint32_t)child.pid,
				  .protocol = IPPROTO_TCP,
				  .port = told.port };
	const struct abi_walk_answer *answer;

	if (!sentinel_kernel_source(w->sentinel)->walk)
		skip();
	if (ASK(w->sentinel, walk, &asked, &answer) == -EOPNOTSUPP)
		skip();
	assert_int_equal(answer->head.result, 0);
	assert_int_equal(answer->head.netns, told.netns);
	assert_int_equal(answer->head.n_owners, 1);
	assert_int_equal(answer->owners[0].cookie, told.cookie);
	end_child(&child);
	assert_int_equal(ASK(w->sentinel, walk, &asked, &answer), 0);
	assert_int_equal(answer->head.result, -ESRCH);
	asked.pid = PID_MAX_LIMIT + (uint32_t)getpid(); /* that of no process: it does not wrap */
	assert_int_equal(ASK(w->sentinel, walk, &asked, &answer), 0);
	assert_int_equal(answer->head.result, -ESRCH);
}

static void run_with_program(struct told *told)
{
	struct sock_filter first_member[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { ARRAY_SIZE(first_member), first_member };
	int owner = socket(AF_INET, SOCK_STREAM, 0), victim = socket(AF_INET, SOCK_STREAM, 0);

	told->error = switch_on(owner, SOL_SOCKET, SO_REUSEPORT);
	told->error = told->error ?: switch_on(victim, SOL_SOCKET, SO_REUSEPORT);
	told->error = told->error ?: bind_to(owner, 0);
	if (setsockopt(victim, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0)
		told->error = -errno;
	told->error = told->error ?: refused_with(bind_to(victim, port_of(owner)), EADDRINUSE);
}

TEST_WITH(program_of_the_callers_reuseport_group_is_seen, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_with_program, NULL);

	assert_true(e->has_program);
	assert_true(e->owners[0].reuseport);
}

static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void run_exhausted(struct told *told)
{
	told->error = leave_network();
	told->error =
		told->error ?: write_file("/proc/sys/net/ipv4/ip_local_port_range", "40001 40001");
	told->error = told->error ?: bind_to(socket(AF_INET, SOCK_STREAM, 0), 0);
	told->error = told->error
			      ?: refused_with(bind_to(socket(AF_INET, SOCK_STREAM, 0), 0),
					      EADDRINUSE);
}

TEST_WITH(exhausted_range_is_a_refusal_of_port_0_without_owners, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_exhausted, NULL);

	assert_int_equal(e->error, EADDRINUSE);
	assert_int_equal(e->port, 0);
	assert_int_equal(e->n_owners, 0);
}

WATCHING_TEST_MAIN(start_watching, stop_watching)
