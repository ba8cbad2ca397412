/* SPDX-License-Identifier: MIT */
/* What the sentinel tells of sockets, with the real programs in the real kernel. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kernel/refusals.h"

#define MPTCP 262

static void assert_loopback(const struct event *e, uint16_t protocol, uint16_t port)
{
	assert_int_equal(e->family, AF_INET);
	assert_memory_equal(e->addr.bytes, "\x7f\0\0\1", 4);
	assert_int_equal(e->protocol, protocol);
	assert_int_equal(e->port, port);
}

/* --- what was refused --- */

TEST_WITH(refused_bind_reports_the_asked_port_errno_and_pid, struct watcher *w)
{
	struct child child = start_and_hear_well(run_refused);
	const struct event *e = await_event(w, EVENT_FAIL, child.pid);

	assert_loopback(e, IPPROTO_TCP, child.told.port);
	assert_int_equal(e->error, EADDRINUSE);
	assert_int_equal(e->call, EVENT_CALL_BIND);
	assert_int_not_equal(e->inode, 0);
	assert_int_not_equal(e->netns, 0);
}

static void run_refused_bind6(struct told *told)
{
	int first = socket(AF_INET6, SOCK_DGRAM, 0), second = socket(AF_INET6, SOCK_DGRAM, 0);

	told->error = bind6_to(first, 0);
	told->port = port_of(first);
	if (told->error == 0 && bind6_to(second, told->port) != -EADDRINUSE)
		told->error = -ENOTRECOVERABLE;
}

TEST_WITH(refused_bind_of_ipv6_reports_the_asked_address, struct watcher *w)
{
	struct child child = start_and_hear(run_refused_bind6);
	const struct event *e;

	need_ipv6(child.told.error);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(e->family, AF_INET6);
	assert_memory_equal(e->addr.bytes, &in6addr_loopback, 16);
	assert_int_equal(e->protocol, IPPROTO_UDP);
	assert_int_equal(e->port, child.told.port);
}

static void run_refused_listen(struct told *told)
{
	int one = 1, first = socket(AF_INET, SOCK_STREAM, 0),
	    second = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind_to(first, 0) < 0 || bind_to(second, port_of(first)) < 0 || listen(first, 8) < 0)
		told->error = -errno;
	told->port = port_of(first);
	told->cookie = cookie_of(second);
	if (listen(second, 8) == 0)
		told->error = -ENOTRECOVERABLE;
}

TEST_WITH(refused_listen_is_reported, struct watcher *w)
{
	struct child child = start_and_hear_well(run_refused_listen);
	const struct event *e = await_event(w, EVENT_FAIL, child.pid);

	assert_loopback(e, IPPROTO_TCP, child.told.port);
	assert_int_equal(e->error, EADDRINUSE);
	assert_int_equal(e->call, EVENT_CALL_LISTEN);
	assert_int_equal(e->cookie, child.told.cookie);
}

TEST_WITH(refused_listen_is_no_listener, struct watcher *w)
{
	struct child child = start_and_hear_well(run_refused_listen);

	await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(count_events(w, EVENT_LISTEN, child.pid), 1);
	assert_int_not_equal(find_event(w, EVENT_LISTEN, child.pid, 0)->cookie, child.told.cookie);
	assert_int_equal(count_events(w, EVENT_UNLISTEN, child.pid), 0);
}

static void run_refusals_elsewhere(struct told *told)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	bind_to(-1, 80);
	bind_to(STDIN_FILENO, 80);
	bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a));
	listen(socket(AF_UNIX, SOCK_STREAM, 0), 1);
	open_bound(SOCK_DGRAM, told);
}

TEST_WITH(refusals_that_concern_no_port_are_not_reported, struct watcher *w)
{
	struct child child = start_and_hear_well(run_refusals_elsewhere);
	await_event(w, EVENT_BIND, child.pid);
	assert_int_equal(count_events(w, EVENT_FAIL, child.pid), 0);
}

/* --- what listens --- */

TEST_WITH(listener_has_cookie_inode_port_and_namespace, struct watcher *w)
{
	struct child child = start_and_hear_well(run_listener);
	const struct event *e = await_event(w, EVENT_LISTEN, child.pid);
	struct process_id id = identity(child.pid);
	char path[64];
	struct stat st;

	assert_loopback(e, IPPROTO_TCP, child.told.port);
	assert_int_equal(e->cookie, child.told.cookie);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", child.pid, child.told.fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(e->inode, st.st_ino);
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_int_equal(e->netns, st.st_ino);
	assert_true(process_id_equal(&e->actor, &id));
}

static void run_listen_without_bind(struct told *told)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	told->error = listen(fd, 8) < 0 ? -errno : 0;
	told->port = port_of(fd);
	told->cookie = cookie_of(fd);
}

/*
 * Its socket has no cookie, and before 5.12 no program on a tracepoint gives it one: then it counts
 * as lost, and the table is read.
 */
TEST_WITH(listen_without_bind_has_its_port, struct watcher *w)
{
	uint64_t lost = sentinel_counters(w->sentinel).lost;
	struct child child = start_and_hear_well(run_listen_without_bind);
	const struct event *e;

	if (sentinel_counters(w->sentinel).lost > lost) {
		dispatch(w);
		assert_int_equal(w->resyncs, 1);
		skip();
	}
	e = await_event(w, EVENT_LISTEN, child.pid);
	assert_int_not_equal(child.told.port, 0);
	assert_int_equal(e->port, child.told.port);
	assert_int_equal(e->cookie, child.told.cookie);
}

TEST_WITH(killed_holder_ends_the_listener, struct watcher *w)
{
	struct child child = start_and_hear_well(run_listener);

	kill(child.pid, SIGKILL);
	assert_int_equal(await_event(w, EVENT_CLOSE, child.pid)->cookie, child.told.cookie);
	assert_int_equal(await_event(w, EVENT_EXIT, child.pid)->exit_code, SIGKILL);
}

/* Then binds a second socket, whose event comes after whatever the connection caused. */
static void run_accept(struct told *told)
{
	struct told marker = { 0 };
	int fd = open_listener(0, told), client = socket(AF_INET, SOCK_STREAM, 0);

	if (connect_to(client, told->port) < 0 || accept(fd, NULL, NULL) < 0)
		told->error = -errno;
	open_bound(SOCK_DGRAM, &marker);
}

TEST_WITH(accepted_connection_is_not_the_end_of_its_listener, struct watcher *w)
{
	struct child child = start_and_hear_well(run_accept);

	await_events(w, EVENT_BIND, child.pid, 2);
	/* of whatever process: the connection is made where its packets are received */
	for (size_t i = 0; i < w->n; i++)
		if (w->events[i].kind == EVENT_UNLISTEN)
			assert_int_not_equal(w->events[i].port, child.told.port);
}

static void run_shutdown(struct told *told)
{
	int fd = open_listener(0, told);

	shutdown(fd, SHUT_RDWR);
}

TEST_WITH(shut_down_listener_is_not_closed, struct watcher *w)
{
	struct child child = start_and_hear_well(run_shutdown);

	assert_int_equal(await_event(w, EVENT_UNLISTEN, child.pid)->cookie, child.told.cookie);
	assert_int_equal(count_events(w, EVENT_CLOSE, child.pid), 0);
	end_child(&child);
	assert_int_equal(await_event(w, EVENT_CLOSE, child.pid)->cookie, child.told.cookie);
}

static int run_mptcp_listener(struct act *act)
{
	struct told told = { 0 };
	int fd = open_listener(MPTCP, &told);

	act_tell_and_await(act, &told);
	close(fd);
	return act_stay(act, &told);
}

TEST_WITH(mptcp_listener_is_reported_as_such, struct watcher *w)
{
	struct child child = start_child(run_mptcp_listener);
	struct told told = hear(&child);
	const struct event *e;
	uint64_t cookie;
	char path[64];
	struct stat st;

	need_mptcp(told.error);
	e = await_event(w, EVENT_LISTEN, child.pid);
	assert_loopback(e, MPTCP, told.port);
	cookie = e->cookie; /* of the subflow, which owns the port */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", child.pid, told.fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(e->inode, st.st_ino);
	step(&child);
	assert_int_equal(await_event(w, EVENT_UNLISTEN, child.pid)->cookie, cookie);
	assert_int_equal(await_event(w, EVENT_CLOSE, child.pid)->cookie, cookie);
	hear_well(&child);
}

/* --- what is only bound --- */

static int run_udp(struct act *act)
{
	struct told told = { 0 };
	int fd = open_bound(SOCK_DGRAM, &told);

	act_tell_and_await(act, &told);
	close(fd);
	return act_stay(act, &told);
}

TEST_WITH(udp_socket_is_seen_when_bound_and_when_closed, struct watcher *w)
{
	struct child child = start_child(run_udp);
	struct told told = hear_well(&child);
	const struct event *e = await_event(w, EVENT_BIND, child.pid);

	assert_loopback(e, IPPROTO_UDP, told.port);
	assert_int_equal(e->cookie, told.cookie);
	assert_int_not_equal(e->inode, 0);
	step(&child);
	assert_int_equal(await_event(w, EVENT_CLOSE, child.pid)->cookie, told.cookie);
	hear_well(&child);
}

static int run_in_own_netns(struct act *act)
{
	struct told told = { 0 };

	act_leave_network(&told);
	if (told.error == 0) {
		open_listener(0, &told);
		open_bound(SOCK_DGRAM, &told);
	}
	return act_stay(act, &told);
}

TEST_WITH(sockets_of_another_namespace_carry_it, struct watcher *w)
{
	struct child child = start_child(run_in_own_netns);
	struct told told = hear_well(&child);

	assert_int_equal(await_event(w, EVENT_LISTEN, child.pid)->netns, told.netns);
	assert_int_equal(await_event(w, EVENT_BIND, child.pid)->netns, told.netns);
}

static void run_socket_of_another_netns(struct told *told)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct stat st = { 0 };

	if (stat("/proc/self/ns/net", &st) < 0 || unshare(CLONE_NEWNET) < 0)
		told->error = -errno;
	told->error = told->error ?: bind_to(fd, 0);
	told->netns = (uint32_t)st.st_ino;
}

TEST_WITH(namespace_is_the_sockets_and_not_the_process, struct watcher *w)
{
	struct child child = start_and_hear_well(run_socket_of_another_netns);

	assert_int_equal(await_event(w, EVENT_BIND, child.pid)->netns, child.told.netns);
}

/* --- what was there before, and what is ours --- */

static int run_before_the_sentinel(struct act *act)
{
	struct told told = { 0 };
	int fd = open_bound(SOCK_DGRAM, &told);

	act_tell_and_await(act, &told);
	close(fd);
	open_bound(SOCK_DGRAM, &told);
	act_tell_and_await(act, &told);
	return 3;
}

TEST(tracked_socket_and_process_from_before_report_their_end)
{
	struct child child = start_child(run_before_the_sentinel);
	struct told told = hear_well(&child);
	struct process_id id = identity(child.pid);
	struct watcher *later = watch();

	assert_int_equal(ASK(later->sentinel, track_socket, told.cookie), 0);
	assert_int_equal(ASK(later->sentinel, track_process, &id, true), 0);
	step(&child);
	assert_int_equal(await_event(later, EVENT_CLOSE, child.pid)->cookie, told.cookie);
	hear_well(&child);
	step(&child);
	assert_int_equal(await_event(later, EVENT_EXIT, child.pid)->exit_code, 3 << 8);
	end_child(&child);
	stop(later);
}

static void read_pass(struct watcher *w)
{
	_cleanup_close_ int pass = ASK(w->sentinel, open_holder_pass);
	char bytes[4096];
	ssize_t n;

	assert_true(pass >= 0);
	while ((n = read(pass, bytes, sizeof(bytes))) > 0)
		;
	assert_int_equal(n, 0);
}

TEST(socket_from_before_that_a_pass_has_shown_reports_its_close)
{
	struct child child = start_and_hear_well(run_listener);
	struct watcher *later = watch();

	if (!sentinel_kernel_source(later->sentinel)->open_holder_pass) {
		stop(later);
		skip();
	}
	read_pass(later);
	end_child(&child);
	assert_int_equal(await_event(later, EVENT_CLOSE, child.pid)->cookie, child.told.cookie);
	stop(later);
}

#define COOKIES_MAX (1024 * 1024) /* far more than anybody keeps room for */

/* Whoever has very many sockets takes no room from those of another. */
TEST(socket_is_tracked_also_when_no_cookie_can_be_added)
{
	struct watcher *later = watch();
	struct sentinel *sentinel;
	uint64_t cookie = UINT64_MAX; /* the kernel counts upwards */
	struct child child;

	sentinel = later->sentinel;
	while (ASK(sentinel, track_socket, cookie) == 0 && UINT64_MAX - cookie < COOKIES_MAX)
		cookie--;
	assert_int_equal(ASK(sentinel, track_socket, cookie), -E2BIG);
	child = start_and_hear_well(run_listener);
	end_child(&child);
	assert_int_equal(await_event(later, EVENT_CLOSE, child.pid)->cookie, child.told.cookie);
	stop(later);
}

static void run_untracked(struct told *told)
{
	open_bound(SOCK_DGRAM, told);
}

TEST_WITH(untracked_process_is_left_alone, struct watcher *w)
{
	struct child child = start_and_hear_well(run_untracked);
	struct process_id id = identity(child.pid);

	assert_int_equal(ASK(w->sentinel, track_process, &id, false), 0);
	assert_int_equal(ASK(w->sentinel, track_process, &id, false), 0);
	end_child(&child);
	await_event(w, EVENT_CLOSE, id.pid); /* comes after what would have been its EXIT */
	assert_int_equal(count_events(w, EVENT_EXIT, id.pid), 0);
}

TEST_WITH(own_sockets_are_not_reported, struct watcher *w)
{
	struct told told = { 0 };
	struct child child;

	close(open_listener(0, &told));
	child = start_and_hear_well(run_listener);
	await_event(w, EVENT_LISTEN, child.pid);
	for (size_t i = 0; i < w->n; i++)
		assert_int_not_equal(w->events[i].actor.pid, getpid());
}

/*
 * A descriptor of the child's socket in this process, which the sentinel works for: as when a pass
 * holds the file while its owner closes it.
 */
static int take_descriptor(const struct child *child, int fd)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	assert_true(copy >= 0);
	return copy;
}

static const struct event *await_own_event(struct watcher *w, enum event_kind kind, uint64_t cookie)
{
	const struct event *e = await_event(w, kind, getpid());

	assert_int_equal(e->cookie, cookie);
	return e;
}

TEST_WITH(socket_whose_last_descriptor_the_watcher_closes_is_closed, struct watcher *w)
{
	struct child child = start_and_hear_well(run_listener);
	int copy = take_descriptor(&child, child.told.fd);

	end_child(&child);
	await_event(w, EVENT_LISTEN, child.pid);
	close(copy);
	await_own_event(w, EVENT_CLOSE, child.told.cookie);
	assert_int_equal(count_events(w, EVENT_UNLISTEN, getpid()), 0);
}

TEST_WITH(listener_that_the_watcher_shuts_down_listens_no_more, struct watcher *w)
{
	struct child child = start_and_hear_well(run_listener);
	_cleanup_close_ int copy = take_descriptor(&child, child.told.fd);

	assert_int_equal(shutdown(copy, SHUT_RDWR), 0);
	await_own_event(w, EVENT_UNLISTEN, child.told.cookie);
}

/*
 * What every kernel that we support must give; the others may be refused, but say why.  Where
 * orders are given instead of calls of bpf() nothing can be asked.
 */
static bool is_needed(const char *probe, bool by_orders)
{
	static const char *const optional[] = { "walk",	  "roll",    "grips", "queued",
						"mapped", "holders", "look" };
	size_t n = ARRAY_SIZE(optional) - (by_orders ? 0 : 2);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(probe, optional[i]))
			return false;
	return true;
}

TEST_WITH(every_probe_proved_itself, struct watcher *w)
{
	const struct sentinel_report *report = sentinel_report(w->sentinel);

	assert_int_equal(report->mode, SENTINEL_MODE_BPF);
	assert_null(report->why_not_bpf);
	for (int i = 0; i < report->n_probes; i++) {
		const struct sentinel_probe *p = &report->probes[i];

		if (p->state != SENTINEL_PROBE_WORKS)
			print_message("# %s: %s\n", p->name, p->reason);
		assert_int_not_equal(p->state, SENTINEL_PROBE_SILENT);
		if (is_needed(p->name, report->orders))
			assert_int_equal(p->state, SENTINEL_PROBE_WORKS);
	}
}

/* --- losses --- */

/* Binds until the ring must be full, for it does not stop before it is told to. */
static int run_flood(struct act *act)
{
	struct told told = { 0 };

	act_tell_and_await(act, &told);
	for (int i = 0; i < 12000; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		bind_to(fd, 0);
		close(fd);
	}
	return act_stay(act, &told);
}

TEST_WITH(flooded_ring_counts_losses_and_asks_for_one_resync, struct watcher *w)
{
	struct child child = start_child(run_flood);
	uint64_t before = sentinel_counters(w->sentinel).lost;

	hear_well(&child);
	step(&child);
	hear_well(&child); /* nobody dispatched meanwhile */
	assert_true(sentinel_counters(w->sentinel).lost > before);
	assert_int_equal(w->resyncs, 0);
	dispatch(w);
	assert_int_equal(w->resyncs, 1);
	end_child(&child);
	while (w->resyncs = 0, w->n = 0, dispatch(w), w->n) {
	}
	assert_int_equal(w->resyncs, 0);
	assert_int_equal(sentinel_counters(w->sentinel).malformed, 0);
}

WATCHING_TEST_MAIN(start_watching, stop_watching)
