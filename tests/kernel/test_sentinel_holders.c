/* SPDX-License-Identifier: MIT */
/* Who holds a socket: the pass over all processes, the look at one, and all of it unprivileged. */
#include <sys/epoll.h>

#include "kernel/actors.h"
#include "sentinel/decode.h"
#include "sentinel/maps.h"

#define MPTCP	    262
#define HOLDERS_MAX 64
#define ATTEMPTS    5	/* of a measurement */
#define MANY_FDS    200 /* more than one look reports */

/* --- the pass --- */

struct seen {
	struct abi_holder holders[HOLDERS_MAX];
	int n;
};

#define RECORD_BYTES_MAX 65536 /* of which a read may leave the beginning */

struct passing {
	uint64_t cookie, inode; /* whose holders are kept; 0 = not by that */
	uint32_t described;
	struct seen *seen;
};

static void take_record(struct passing *p, const char *bytes, uint32_t size)
{
	struct abi_holder holder;
	struct event e;

	memcpy(&holder.head, bytes, sizeof(holder.head));
	if (holder.head.kind == ABI_PROCESS) {
		assert_int_equal(decode_event(bytes, size, 100, &e), 0);
		p->described = holder.head.pid;
		return;
	}
	assert_int_equal(holder.head.kind, ABI_HOLDER);
	assert_int_equal(size, sizeof(holder));
	assert_int_equal(holder.head.pid, p->described);
	memcpy(&holder, bytes, sizeof(holder));
	if ((p->cookie && holder.socket.cookie == p->cookie) ||
	    (p->inode && holder.socket.inode == p->inode))
		p->seen->holders[p->seen->n++] = holder;
	assert_true(p->seen->n < HOLDERS_MAX);
}

/* Takes the records that are whole; how many bytes they were. */
static size_t take_records(struct passing *p, const char *bytes, size_t n)
{
	struct abi_head head;
	size_t at = 0;

	while (n - at >= sizeof(head)) {
		memcpy(&head, bytes + at, sizeof(head));
		assert_in_range(head.size, sizeof(head), RECORD_BYTES_MAX);
		if (n - at < head.size)
			break;
		take_record(p, bytes + at, head.size);
		at += head.size;
	}
	return at;
}

/*
 * One pass to its end, in reads of this size; keeps the holders of the cookie or the inode.  Other
 * programs of this machine may have any number of sockets.
 */
static void pass_over_all(struct sentinel *s, size_t read_size, uint64_t cookie, uint64_t inode,
			  struct seen *ret)
{
	struct passing p = { .cookie = cookie, .inode = inode, .seen = ret };
	static char bytes[2 * RECORD_BYTES_MAX];
	size_t n = 0, taken;
	ssize_t r;
	int fd;

	if (!sentinel_kernel_source(s)->open_holder_pass)
		skip();
	fd = ASK(s, open_holder_pass);
	assert_true(fd >= 0);
	ret->n = 0;
	while ((r = read(fd, bytes + n, read_size)) > 0) {
		n += (size_t)r;
		taken = take_records(&p, bytes, n);
		n -= taken;
		memmove(bytes, bytes + taken, n);
		assert_true(n + read_size <= sizeof(bytes));
	}
	close(fd);
	assert_int_equal(r, 0);
	assert_int_equal(n, 0);
}

#define COPY_FD 700 /* above all that a sentinel has open, below the usual limit */

static int run_shared_listener(struct act *act)
{
	struct told told = { 0 };
	int fd = open_listener(0, &told);

	told.pid = fork();
	if (told.pid == 0) {
		if (dup2(fd, COPY_FD) != COPY_FD)
			_exit(1);
		act_tell_and_await(act, &told);
		_exit(0);
	}
	waitpid(told.pid, NULL, 0);
	return 0;
}

TEST_WITH(pass_finds_every_holder_with_its_descriptors, struct watcher *w)
{
	struct child child = start_child(run_shared_listener);
	struct told told = hear_well(&child);
	bool parent = false, inheritor = false, copy = false;
	struct seen seen;

	pass_over_all(w->sentinel, 65536, told.cookie, 0, &seen);
	assert_int_equal(seen.n, 3);
	for (int i = 0; i < seen.n; i++) {
		const struct abi_holder *h = &seen.holders[i];

		assert_int_equal(h->socket.port, told.port);
		assert_int_equal(h->socket.protocol, IPPROTO_TCP);
		assert_int_equal(h->socket.family, AF_INET);
		assert_int_equal(h->socket.tcp_state, 10);
		assert_int_equal(h->socket.file_refs, 3);
		parent |= h->head.pid == (uint32_t)child.pid && h->fd == (uint32_t)told.fd;
		inheritor |= h->head.pid != (uint32_t)child.pid && h->fd == (uint32_t)told.fd;
		copy |= h->head.pid != (uint32_t)child.pid && h->fd == COPY_FD;
	}
	assert_true(parent && inheritor && copy);
}

TEST_WITH(pass_is_the_same_in_small_reads, struct watcher *w)
{
	struct child child = start_child(run_shared_listener);
	struct told told = hear_well(&child);
	struct seen seen;

	pass_over_all(w->sentinel, 100, told.cookie, 0, &seen);
	assert_int_equal(seen.n, 3);
}

static void run_no_owner_of_a_port(struct told *told)
{
	int listener = open_listener(0, told), client = socket(AF_INET, SOCK_STREAM, 0);

	told->error = told->error ?: connect_to(client, told->port);
	close(listener);
	told->cookie = cookie_of(client);
}

TEST_WITH(pass_leaves_connections_out, struct watcher *w)
{
	struct child child = start_and_hear_well(run_no_owner_of_a_port);
	struct seen seen;

	pass_over_all(w->sentinel, 65536, child.told.cookie, 0, &seen);
	assert_int_equal(seen.n, 0);
}

static void run_mptcp_listener(struct told *told)
{
	open_listener(MPTCP, told);
}

TEST_WITH(pass_and_event_of_an_mptcp_listener_meet_in_the_inode, struct watcher *w)
{
	struct child child = start_and_hear(run_mptcp_listener);
	struct seen seen;

	need_mptcp(child.told.error);
	pass_over_all(w->sentinel, 65536, 0, await_event(w, EVENT_LISTEN, child.pid)->inode, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.holders[0].socket.protocol, MPTCP);
	assert_int_equal(seen.holders[0].socket.port, child.told.port);
}

static void run_bound_elsewhere(struct told *told)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in any = { .sin_family = AF_INET };

	if (unshare(CLONE_NEWNET) < 0)
		told->error = -errno;
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		told->error = -errno;
	told->cookie = cookie_of(fd);
	told->port = port_of(fd);
}

TEST_WITH(pass_sees_bound_sockets_of_other_namespaces, struct watcher *w)
{
	struct child child = start_and_hear_well(run_bound_elsewhere);
	struct seen seen;

	pass_over_all(w->sentinel, 65536, child.told.cookie, 0, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.holders[0].socket.port, child.told.port);
	assert_int_equal(seen.holders[0].socket.netns,
			 await_event(w, EVENT_BIND, child.pid)->netns);
}

/* --- the look --- */

static int look_at(struct watcher *w, struct abi_look *look)
{
	if (!sentinel_kernel_source(w->sentinel)->look)
		skip();
	return ASK(w->sentinel, look, look);
}

TEST_WITH(look_finds_what_a_process_holds, struct watcher *w)
{
	struct child child = start_and_hear_well(run_listener);
	struct abi_look look = { .pid = (uint32_t)child.pid };
	const struct event *e = await_event(w, EVENT_LISTEN, child.pid);

	assert_int_equal(look_at(w, &look), 0);
	assert_int_equal(look.result, 0);
	assert_int_equal(look.n_fds, 1);
	assert_int_equal(look.more, 0);
	assert_int_equal(look.fds[0].cookie, child.told.cookie);
	assert_int_equal(look.fds[0].inode, e->inode);
	assert_int_equal(look.fds[0].fd, child.told.fd);
	assert_int_equal(look.fds[0].file_refs, 1);
	assert_int_equal(look.start_ns / 10000000, e->actor.start_ticks);
}

static void run_many(struct told *told)
{
	for (int i = 0; i < MANY_FDS; i++)
		open_bound(SOCK_DGRAM, told);
}

TEST_WITH(look_says_when_there_is_more, struct watcher *w)
{
	struct child child = start_and_hear_well(run_many);
	struct abi_look look = { .pid = (uint32_t)child.pid };

	assert_int_equal(look_at(w, &look), 0);
	assert_int_equal(look.n_fds, ABI_LOOK_FDS_MAX);
	assert_int_equal(look.more, 1);
}

static void run_nothing(struct told *told)
{
}

TEST_WITH(look_at_a_process_without_sockets_finds_none, struct watcher *w)
{
	struct child child = start_and_hear_well(run_nothing);
	struct abi_look look = { .pid = (uint32_t)child.pid };
	struct process_id id = identity(child.pid);

	assert_int_equal(look_at(w, &look), 0);
	assert_int_equal(look.n_fds, 0);
	assert_int_equal(look.start_ns / 10000000, id.start_ticks);
}

TEST_WITH(look_at_a_process_that_is_gone_says_so, struct watcher *w)
{
	struct child child = start_and_hear_well(run_nothing);
	struct abi_look look = { .pid = (uint32_t)child.pid };

	end_child(&child);
	assert_int_equal(look_at(w, &look), -ESRCH);
	assert_int_equal(look.result, -ESRCH);
	look.pid = 0;
	assert_int_equal(look_at(w, &look), -ESRCH);
}

/* --- the re-check --- */

static struct abi_hold hold_of(const struct child *child)
{
	return (struct abi_hold){ .cookie = child->told.cookie,
				  .pid = (uint32_t)child->pid,
				  .fd = (uint32_t)child->told.fd };
}

static bool can_recheck(struct watcher *w)
{
	return probe(w->sentinel, "roll")->state == SENTINEL_PROBE_WORKS;
}

/* Where BPF may not be run when it is asked, there is none. */
static struct watcher *watcher_that_rechecks(struct watcher *w)
{
	if (!can_recheck(w))
		skip();
	return w;
}

TEST_WITH(recheck_tells_which_descriptors_still_are_the_sockets, struct watcher *any)
{
	struct watcher *w = watcher_that_rechecks(any);
	struct child child = start_and_hear_well(run_listener);
	const struct event *e = await_event(w, EVENT_LISTEN, child.pid);
	struct abi_hold hold = hold_of(&child), holds[] = { hold, hold, hold, hold };

	holds[1].fd++;
	holds[2].cookie++;
	holds[3].pid = (uint32_t)getpid();
	assert_int_equal(ASK(w->sentinel, recheck_descriptors, holds, 4), 0);
	assert_int_equal(holds[0].file_refs, 1);
	assert_int_equal(holds[0].start_ns / 10000000, e->actor.start_ticks);
	for (int i = 1; i < 4; i++)
		assert_int_equal(holds[i].file_refs, 0);
	end_child(&child);
	holds[0].start_ns = holds[0].file_refs = 0;
	assert_int_equal(ASK(w->sentinel, recheck_descriptors, holds, 1), 0);
	assert_int_equal(holds[0].start_ns, 0);
	assert_int_equal(holds[0].file_refs, 0);
}

/* The look accounts for who sleeps on the socket; the re-check must come to the same count. */
TEST_WITH(recheck_and_look_count_the_same_references, struct watcher *any)
{
	struct watcher *w = watcher_that_rechecks(any);
	struct child child = start_and_hear_well(run_listener);
	struct abi_look look = { .pid = (uint32_t)child.pid };
	struct abi_hold hold = hold_of(&child);
	int epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	int pidfd = (int)syscall(SYS_pidfd_open, child.pid, 0);
	int copy = (int)syscall(SYS_pidfd_getfd, pidfd, child.told.fd, 0);

	assert_true(copy >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event), 0);
	assert_int_equal(look_at(w, &look), 0);
	assert_int_equal(ASK(w->sentinel, recheck_descriptors, &hold, 1), 0);
	assert_int_equal(look.fds[0].file_refs, 2);
	assert_int_equal(hold.file_refs, look.fds[0].file_refs);
	close(copy);
	close(pidfd);
	close(epoll);
}

TEST_WITH(a_long_recheck_is_made_in_parts, struct watcher *any)
{
	struct watcher *w = watcher_that_rechecks(any);
	struct child child = start_and_hear_well(run_listener);
	const size_t n = 2 * ABI_HOLDS_MAX + 7;
	struct abi_hold *holds = calloc(n, sizeof(*holds));

	for (size_t i = 0; i < n; i++)
		holds[i] = hold_of(&child);
	assert_int_equal(ASK(w->sentinel, recheck_descriptors, holds, n), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(holds[i].file_refs, 1);
	free(holds);
}

/* --- without any capability --- */

/* Before 5.19 bpf() is refused then, and the process that began to watch gives orders. */
static bool gives_orders(const struct watcher *w)
{
	return sentinel_report(w->sentinel)->orders;
}

/* What loading and tracing take, and nothing that cgroups would ask for. */
static int drop_network_rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const uint64_t mask = 1ULL << CAP_BPF | 1ULL << CAP_PERFMON;
	struct __user_cap_data_struct data[2] = { 0 };

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(mask >> (32 * i));
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* Runs the test's body in a child that gave up rights; its failed asserts fail the test. */
static void run_after(int (*drop)(void), struct watcher *w, void (*body)(void **state))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct CMUnitTest test = { "body", body, NULL, NULL, w };

		if (drop() < 0)
			_exit(2);
		cmocka_set_message_output(CM_OUTPUT_STDOUT);
		if (!freopen("/dev/null", "w", stdout))
			_exit(3);
		_exit(_cmocka_run_group_tests("body", &test, 1, NULL, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void unprivileged(struct watcher *w, void (*body)(void **state))
{
	run_after(drop_everything, w, body);
}

static struct child others_listener; /* root's, started before the drop */

static void see_events_of_others(void **state)
{
	struct child child = start_and_hear_well(run_listener);

	assert_int_equal(await_event(*state, EVENT_LISTEN, child.pid)->port, child.told.port);
	assert_int_equal(await_event(*state, EVENT_LISTEN, others_listener.pid)->port,
			 others_listener.told.port);
	end_child(&child);
}

static void pass_and_look_at_others(void **state)
{
	struct watcher *w = *state;
	struct abi_look look = { .pid = (uint32_t)others_listener.pid };
	struct abi_hold hold = hold_of(&others_listener);
	struct seen seen;

	pass_over_all(w->sentinel, 65536, others_listener.told.cookie, 0, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(look_at(w, &look), 0);
	assert_int_equal(look.n_fds, 1);
	assert_int_equal(look.fds[0].cookie, others_listener.told.cookie);
	if (!can_recheck(w))
		return;
	assert_int_equal(ASK(w->sentinel, recheck_descriptors, &hold, 1), 0);
	assert_int_equal(hold.file_refs, look.fds[0].file_refs);
}

static void track_and_untrack(void **state)
{
	struct watcher *w = *state;
	struct process_id id = identity(others_listener.pid);

	assert_int_equal(ASK(w->sentinel, track_socket, others_listener.told.cookie), 0);
	assert_int_equal(ASK(w->sentinel, track_process, &id, true), 0);
	assert_int_equal(ASK(w->sentinel, track_process, &id, false), 0);
}

TEST_WITH(everything_works_without_capabilities_as_another_user, struct watcher *w)
{
	others_listener = start_and_hear_well(run_listener);
	if (!gives_orders(w)) {
		unprivileged(w, pass_and_look_at_others);
		unprivileged(w, track_and_untrack);
	}
	unprivileged(w, see_events_of_others);
}

static void use_the_poll_backend(void **state)
{
	const struct sentinel_report *report;
	struct sentinel *s;

	assert_int_equal(sentinel_new(SENTINEL_TRACE_AUTO, &s), 0);
	report = sentinel_report(s);
	assert_int_equal(report->mode, SENTINEL_MODE_POLL);
	assert_true(report->why_not_bpf && *report->why_not_bpf);
	/* the last one is the poll backend's own */
	for (int i = 0; i < report->n_probes - 1; i++) {
		assert_int_equal(report->probes[i].state, SENTINEL_PROBE_REFUSED);
		assert_string_not_equal(report->probes[i].reason, "");
	}
	sentinel_free(s);
}

TEST_WITH(without_privileges_from_the_start_it_polls_and_says_why, struct watcher *w)
{
	unprivileged(w, use_the_poll_backend);
}

/* --- the backend without BPF --- */

static void ignore(const struct event *event, void *user_data)
{
}

static bool asks_for_resync(struct sentinel *s, int within_ms)
{
	int64_t deadline = now_ms() + within_ms;
	bool resync = false;

	while (!resync && now_ms() < deadline) {
		struct pollfd p = { .fd = sentinel_fd(s), .events = POLLIN };

		poll(&p, 1, (int)(deadline - now_ms()));
		assert_int_equal(sentinel_dispatch(s, NULL, ignore, NULL, &resync), 0);
	}
	return resync;
}

static void stand_with_cgroups_refused(void **state)
{
	struct child child;
	struct watcher *w = watch();

	assert_int_equal(sentinel_report(w->sentinel)->mode, SENTINEL_MODE_BPF);
	assert_int_equal(probe(w->sentinel, "post_bind")->state, SENTINEL_PROBE_REFUSED);
	assert_int_equal(probe(w->sentinel, "release")->state, SENTINEL_PROBE_REFUSED);
	assert_int_equal(probe(w->sentinel, "set_state")->state, SENTINEL_PROBE_WORKS);
	assert_int_equal(probe(w->sentinel, "holders")->state, SENTINEL_PROBE_WORKS);
	child = start_and_hear_well(run_listener);
	await_event(w, EVENT_LISTEN, child.pid);
	end_child(&child);
	assert_true(asks_for_resync(w->sentinel, WAIT_MS));
	stop(w);
}

TEST_WITH(refused_probes_leave_the_others_and_polling_fills_the_gap, struct watcher *w)
{
	run_after(drop_network_rights, w,
		  gives_orders(w) ? use_the_poll_backend : stand_with_cgroups_refused);
}

static void find_runs_without_the_kernel_side(void **state)
{
	const struct kernel_source *kernel;
	struct sentinel *s;
	struct process_id id = identity(getpid());

	setenv(MAPS_ORDERS_VARIABLE, "1", true);
	assert_int_equal(sentinel_new(SENTINEL_TRACE_AUTO, &s), 0);
	assert_int_equal(sentinel_report(s)->mode, SENTINEL_MODE_POLL);
	assert_true(*sentinel_report(s)->why_not_bpf);
	kernel = sentinel_kernel_source(s);
	assert_null(kernel->begin_run);
	assert_non_null(kernel->run_of);
	assert_int_equal(kernel->run_of(kernel->user_data, &id), 0);
	sentinel_free(s);
}

/* No hook is there that could carry orders out. */
TEST_WITH(where_the_kernel_side_cannot_be_told_anything_it_polls_and_finds_runs, struct watcher *w)
{
	run_after(drop_network_rights, w, find_runs_without_the_kernel_side);
}

TEST(polling_asks_for_a_resync_each_second)
{
	struct sentinel *s;

	assert_int_equal(sentinel_new(SENTINEL_TRACE_NONE, &s), 0);
	assert_int_equal(sentinel_report(s)->mode, SENTINEL_MODE_POLL);
	assert_true(asks_for_resync(s, WAIT_MS));
	assert_true(asks_for_resync(s, WAIT_MS));
	sentinel_free(s);
}

/* Milliseconds from the end of a socket to the sentinel's wish. */
static int64_t hear_of_a_destroyed_socket(void)
{
	struct told told = { 0 };
	struct sentinel *s;
	int64_t start, took;

	assert_int_equal(sentinel_new(SENTINEL_TRACE_NONE, &s), 0);
	start = now_ms();
	close(open_bound(SOCK_DGRAM, &told));
	assert_true(asks_for_resync(s, WAIT_MS));
	took = now_ms() - start;
	sentinel_free(s);
	return took;
}

TEST(polling_hears_of_a_destroyed_socket)
{
	int64_t took = SENTINEL_POLL_MS;

	/* again, where somebody else had the processor until the next poll */
	for (int i = 0; i < ATTEMPTS && took > SENTINEL_POLL_MS / 2; i++)
		took = hear_of_a_destroyed_socket();
	assert_in_range(took, 0, SENTINEL_POLL_MS / 2);
}

TEST(polling_has_neither_pass_nor_look)
{
	const struct kernel_source *kernel;
	struct sentinel *s;

	assert_int_equal(sentinel_new(SENTINEL_TRACE_NONE, &s), 0);
	kernel = sentinel_kernel_source(s);
	assert_null(kernel->open_holder_pass);
	assert_null(kernel->look);
	assert_null(kernel->recheck_descriptors);
	assert_null(kernel->walk);
	assert_null(kernel->track_socket);
	sentinel_free(s);
}

WATCHING_TEST_MAIN(start_watching, stop_watching)
