/* SPDX-License-Identifier: MIT */
/* What a refusal carries for which the port's owners are not the reason. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/clock.h"
#include "kernel/refusals.h"

/* --- the port is not what is wrong --- */

static int unprivileged_port_start(void)
{
	_cleanup_file_ FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	int start = 1024;

	return f && fscanf(f, "%d", &start) == 1 ? start : 1024;
}

static void run_privileged_port(struct told *told)
{
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		told->error = -errno;
	told->error = told->error
			      ?: refused_with(bind_to(socket(AF_INET, SOCK_STREAM, 0), 80), EACCES);
}

TEST_WITH(privileged_port_is_refused_to_a_user_and_recorded, struct watcher *w)
{
	const struct event *e;

	if (unprivileged_port_start() <= 80)
		skip(); /* everybody may here */
	e = refusal_of(w, run_privileged_port, NULL);
	assert_int_equal(e->error, EACCES);
	assert_int_equal(e->port, 80);
	assert_int_equal(e->uid, NOBODY);
	assert_int_equal(e->sk_uid, NOBODY);
	assert_int_equal(e->n_owners, 0);
	assert_false(e->no_entry);
}

static void run_nonlocal(struct told *told)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(3000) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, RFC 5737: nobody's */
	told->error = refused_with(bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0,
				   EADDRNOTAVAIL);
}

TEST_WITH(address_that_is_not_local_is_recorded_as_asked, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_nonlocal, NULL);

	assert_int_equal(e->error, EADDRNOTAVAIL);
	assert_memory_equal(e->addr.bytes, "\xc0\x00\x02\x01", 4);
	assert_int_equal(e->port, 3000);
	assert_int_equal(e->n_owners, 0);
}

static void run_bound_twice(struct told *told)
{
	int fd = open_bound(SOCK_STREAM, told);

	told->error = told->error ?: refused_with(bind_to(fd, 3000), EINVAL);
}

TEST_WITH(second_bind_tells_the_port_that_the_socket_has, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_bound_twice, &child);

	assert_int_equal(e->error, EINVAL);
	assert_int_equal(e->port, 3000);
	assert_int_equal(e->bound_port, child.told.port);
	assert_int_equal(e->cookie, child.told.cookie);
}

static void run_foreign_address(struct told *told)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/nowhere/at/all" };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	told->error = refused_with(bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0,
				   EAFNOSUPPORT);
}

TEST_WITH(address_of_another_family_is_no_port_and_nobodys_interception, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_foreign_address, NULL);

	assert_int_equal(e->error, EAFNOSUPPORT);
	assert_int_equal(e->family, AF_INET);
	assert_int_equal(e->port, 0);
	assert_false(e->no_entry);
}

static void run_short_address(struct told *told)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(3000) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	told->error = refused_with(bind(fd, (struct sockaddr *)&a, 8) < 0 ? -errno : 0, EINVAL);
}

TEST_WITH(address_that_is_too_short_is_recorded_without_a_port, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_short_address, NULL);

	assert_int_equal(e->error, EINVAL);
	assert_int_equal(e->port, 0);
	assert_int_equal(e->bound_port, 0);
}

/* --- somebody else answered --- */

/* This call gets this errno from a filter; call 0 (read) with 0: a filter that lets all pass. */
static int install_filter(int call, int error)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
			 error ? SECCOMP_RET_ERRNO | (uint32_t)error : SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(steps), steps };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}

static void run_filtered_bind(struct told *told)
{
	told->error = install_filter(SYS_bind, EPERM);
	told->error =
		told->error ?: refused_with(bind_to(socket(AF_INET, SOCK_STREAM, 0), 3000), EPERM);
}

/* A call that a filter answers does not come to the functions behind it. */
static void need_calls_to_be_traced(const struct watcher *w)
{
	if (sentinel_report(w->sentinel)->trace == SENTINEL_TRACE_FEXIT)
		skip();
}

TEST_WITH(bind_answered_by_seccomp_has_no_entry_and_yet_its_address, struct watcher *w)
{
	const struct event *e;

	need_calls_to_be_traced(w);
	e = refusal_of(w, run_filtered_bind, NULL);
	assert_true(e->no_entry);
	assert_int_equal(e->error, EPERM);
	assert_int_equal(e->call, EVENT_CALL_BIND);
	assert_int_equal(e->protocol, IPPROTO_TCP);
	assert_int_equal(e->family, AF_INET);
	assert_memory_equal(e->addr.bytes, "\x7f\0\0\1", 4);
	assert_int_equal(e->port, 3000);
}

static void run_filtered_listen(struct told *told)
{
	int fd = open_bound(SOCK_STREAM, told);

	told->error = told->error ?: install_filter(SYS_listen, EACCES);
	told->error = told->error ?: refused_with(listen(fd, 8) < 0 ? -errno : 0, EACCES);
}

TEST_WITH(listen_answered_by_seccomp_has_the_sockets_port, struct watcher *w)
{
	struct child child;
	const struct event *e;

	need_calls_to_be_traced(w);
	e = refusal_of(w, run_filtered_listen, &child);
	assert_true(e->no_entry);
	assert_int_equal(e->error, EACCES);
	assert_int_equal(e->call, EVENT_CALL_LISTEN);
	assert_int_equal(e->port, child.told.port);
	assert_int_equal(e->cookie, child.told.cookie);
}

static void run_harmless_filter(struct told *told)
{
	told->error = install_filter(SYS_read, 0);
	open_listener(0, told);
	find_it_taken(told, SOCK_STREAM);
}

TEST_WITH(refusal_by_the_kernel_under_a_filter_has_its_entry, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_harmless_filter, &child);

	assert_false(e->no_entry);
	assert_listens(e, child.told.cookie);
}

static void run_filtered_unix(struct told *told)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/nowhere/at/all" };
	int fd = open_bound(SOCK_STREAM, told);

	told->error = told->error ?: install_filter(SYS_bind, EPERM);
	bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a));
	bind(-1, (struct sockaddr *)&a, sizeof(a));
	told->error = told->error ?: listen(fd, 8) < 0 ? -errno : 0;
}

TEST_WITH(filtered_bind_of_a_unix_socket_is_not_reported, struct watcher *w)
{
	struct child child = start_and_hear_well(run_filtered_unix);
	await_event(w, EVENT_LISTEN, child.pid);
	assert_int_equal(count_events(w, EVENT_FAIL, child.pid), 0);
}

/* --- too many of them --- */

#define LOOPS 2000 /* far more than a burst, and soon over: nobody reads the ring meanwhile */
/* Several times what lies between two records of a process in a loop (bpf/state.h). */
#define PACE_NS (10 * NS_PER_MS)

static void run_loop(struct told *told)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t ended_ns;

	open_listener(0, told);
	for (int i = 0; i < LOOPS - 1 && !told->error; i++)
		told->error = refused_with(bind_to(fd, told->port), EADDRINUSE);
	/* a fast machine is through before the next record is due, which tells of the others */
	ended_ns = clock_ns(CLOCK_MONOTONIC);
	while (clock_ns(CLOCK_MONOTONIC) < ended_ns + PACE_NS)
		;
	told->error = told->error ?: refused_with(bind_to(fd, told->port), EADDRINUSE);
}

TEST_WITH(program_that_is_refused_in_a_loop_fills_no_ring_and_is_counted, struct watcher *w)
{
	uint64_t lost = sentinel_counters(w->sentinel).lost, recorded, left_out = 0;
	struct child loop = start_and_hear_well(run_loop); /* it waited in the ring meanwhile */
	const struct event *e;

	await_event(w, EVENT_FAIL, loop.pid);
	recorded = count_events(w, EVENT_FAIL, loop.pid);
	for (e = w->events; (e = find_event(w, EVENT_FAIL, loop.pid, (size_t)(e - w->events))); e++)
		left_out += e->left_out;
	assert_int_equal(sentinel_counters(w->sentinel).lost, lost);
	assert_true(recorded < LOOPS);
	assert_true(left_out > 0);
	/* those after the last record are told by the next one */
	assert_true(recorded + left_out <= LOOPS);
}

TEST_WITH(refusal_behind_somebody_elses_loop_is_recorded, struct watcher *w)
{
	struct child victim;
	const struct event *e;

	start_and_hear_well(run_loop); /* nobody has read the ring since */
	e = refusal_of(w, run_refused, &victim);
	assert_listens(e, victim.told.cookie);
	assert_int_equal(e->left_out, 0);
}

/* --- slices --- */

static int run_two_listeners(struct act *act)
{
	struct told told = { 0 };

	open_listener(0, &told);
	act_tell_and_await(act, &told);
	open_listener(0, &told);
	return act_stay(act, &told);
}

static uint64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

TEST_WITH(slice_reaches_to_its_moment_and_what_is_left_comes_with_the_next, struct watcher *w)
{
	struct child child = start_child(run_two_listeners);
	struct sentinel_slice slice;
	bool resync = false;
	size_t told;

	hear_well(&child);
	slice = (struct sentinel_slice){ .until_ns = boot_ns() };
	step(&child);
	hear_well(&child);
	assert_int_equal(sentinel_dispatch(w->sentinel, &slice, keep_event, w, &resync), 0);
	told = count_events(w, EVENT_LISTEN, child.pid);
	assert_int_equal(told, 1); /* the bind() before the second listen() is the first one late */
	await_events(w, EVENT_LISTEN, child.pid, 2);
}

TEST_WITH(slice_without_time_tells_one_event_and_the_descriptor_stays_readable, struct watcher *w)
{
	const struct sentinel_slice slice = { .budget_ns = 1 };
	struct child child = start_child(run_two_listeners);
	struct pollfd ready = { .fd = sentinel_fd(w->sentinel), .events = POLLIN };
	bool resync = false;
	size_t before;

	hear_well(&child);
	while (!count_events(w, EVENT_LISTEN, child.pid)) {
		before = w->n;
		assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
		assert_int_equal(sentinel_dispatch(w->sentinel, &slice, keep_event, w, &resync), 0);
		assert_in_range(w->n, before, before + 1);
	}
}

WATCHING_TEST_MAIN(start_watching, stop_watching)
