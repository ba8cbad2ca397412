/* SPDX-License-Identifier: MIT */
/*
 * What kernel tests are made of: child processes that do things to sockets and tell what they did,
 * and a sentinel whose events are kept until a test asks for one.
 */
#ifndef KERNEL_ACTORS_H
#define KERNEL_ACTORS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/procfs.h"
#include "bpf/abi.h"
#include "sentinel/sentinel.h"
#include "testing.h"

/* A question to the kernel (base/kernel_source.h): ASK(sentinel, look, &look). */
#define ASK(sentinel, question, ...)                                                             \
	(sentinel_kernel_source(sentinel)->question(sentinel_kernel_source(sentinel)->user_data, \
						    ##__VA_ARGS__))

#define WAIT_MS	   20000 /* for what should come at once */
#define EVENTS_MAX 20000
#define NOBODY	   65534

/* --- the watching side --- */

struct watcher {
	struct sentinel *sentinel;
	struct event *events;
	size_t n;
	int resyncs;
};

static inline int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void keep_event(const struct event *event, void *user_data)
{
	struct watcher *w = user_data;

	if (w->n < EVENTS_MAX)
		w->events[w->n++] = *event;
}

static inline void dispatch(struct watcher *w)
{
	bool resync = false;

	assert_int_equal(sentinel_dispatch(w->sentinel, NULL, keep_event, w, &resync), 0);
	w->resyncs += resync;
}

/* The first kept event of this kind by this process, from index `from` on; NULL. */
static inline const struct event *find_event(const struct watcher *w, enum event_kind kind,
					     pid_t pid, size_t from)
{
	for (size_t i = from; i < w->n; i++)
		if (w->events[i].kind == kind && w->events[i].actor.pid == pid)
			return &w->events[i];
	return NULL;
}

static inline size_t count_events(const struct watcher *w, enum event_kind kind, pid_t pid)
{
	size_t n = 0;

	for (const struct event *e = w->events; (e = find_event(w, kind, pid, e - w->events)); e++)
		n++;
	return n;
}

/* Waits until there are n of them and returns the last; the test fails when they do not come. */
static inline const struct event *await_events(struct watcher *w, enum event_kind kind, pid_t pid,
					       size_t n)
{
	int64_t deadline = now_ms() + WAIT_MS;
	const struct event *e = w->events;

	if (kind == EVENT_FAIL && sentinel_report(w->sentinel)->trace == SENTINEL_TRACE_HOOKS)
		skip(); /* they see none */
	while (dispatch(w), count_events(w, kind, pid) < n) {
		struct pollfd p = { .fd = sentinel_fd(w->sentinel), .events = POLLIN };

		if (now_ms() >= deadline)
			fail_msg("no %s of process %d; %llu events were lost",
				 event_kind_name(kind), pid,
				 (unsigned long long)sentinel_counters(w->sentinel).lost);
		poll(&p, 1, (int)(deadline - now_ms()));
	}
	for (size_t i = 0; i < n; i++)
		e = find_event(w, kind, pid, (size_t)(e - w->events) + (i > 0));
	return e;
}

static inline const struct event *await_event(struct watcher *w, enum event_kind kind, pid_t pid)
{
	return await_events(w, kind, pid, 1);
}

static inline const struct sentinel_probe *probe(const struct sentinel *s, const char *name)
{
	const struct sentinel_report *report = sentinel_report(s);

	for (int i = 0; i < report->n_probes; i++)
		if (!strcmp(report->probes[i].name, name))
			return &report->probes[i];
	fail_msg("no probe %s", name);
	return NULL;
}

/* PD_TRACE=WORD: by what refused calls are seen, and by nothing better; see sentinel.h. */
static inline enum sentinel_trace trace_under_test(void)
{
	enum sentinel_trace trace = SENTINEL_TRACE_AUTO;
	const char *word = getenv("PD_TRACE");

	if (word && !sentinel_trace_parse(word, &trace))
		fail_msg("PD_TRACE=%s", word);
	return trace;
}

/* To be ended by stop(). */
static inline struct watcher *watch_by(enum sentinel_trace trace)
{
	struct watcher *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->events = calloc(EVENTS_MAX, sizeof(*w->events));
	assert_non_null(w->events);
	assert_int_equal(sentinel_new(trace, &w->sentinel), 0);
	return w;
}

static inline struct watcher *watch(void)
{
	return watch_by(trace_under_test());
}

static inline void stop(struct watcher *w)
{
	sentinel_free(w->sentinel);
	free(w->events);
	free(w);
}

static inline int start_watching(void **state)
{
	*state = watch();
	return 0;
}

static inline int forget_events(void **state)
{
	struct watcher *w = *state;

	dispatch(w);
	w->n = 0;
	w->resyncs = 0;
	return 0;
}

static inline int stop_watching(void **state)
{
	stop(*state);
	return 0;
}

/* --- the acting side --- */

/* What a child tells of what it did. */
struct told {
	int error; /* negative errno: it could not do what it should; the test fails, or skips */
	uint16_t port;
	uint64_t cookie;
	uint32_t netns;
	int fd;
	pid_t pid; /* of a grandchild */
};

struct child {
	pid_t pid;
	int to, from;
	struct told told; /* by start_and_hear() */
};

#define CHILDREN_MAX 16

static struct child children[CHILDREN_MAX]; /* of the test that runs, until it ends them */
static size_t n_children;

/* In the child: tell, and wait for the next step.  A parent that is gone ends the child. */
struct act {
	int to, from;
};

static inline void act_tell(struct act *act, const struct told *told)
{
	if (write(act->to, told, sizeof(*told)) != sizeof(*told))
		_exit(125);
}

static inline void act_await(struct act *act)
{
	char go;

	if (read(act->from, &go, 1) != 1)
		_exit(126);
}

static inline void act_tell_and_await(struct act *act, const struct told *told)
{
	act_tell(act, told);
	act_await(act);
}

/* Tells, and stays as it is until the next step, or the test's end. */
static inline int act_stay(struct act *act, const struct told *told)
{
	act_tell_and_await(act, told);
	return 0;
}

/* Moves into a network namespace of one's own, with lo up.  0, negative errno. */
static inline int leave_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	_cleanup_close_ int fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
}

/* The same in a child, which tells the namespace's number. */
static inline void act_leave_network(struct told *ret)
{
	struct stat st = { 0 };

	ret->error = leave_network();
	if (!ret->error && stat("/proc/self/ns/net", &st) < 0)
		ret->error = -errno;
	ret->netns = (uint32_t)st.st_ino;
}

/* `run` returns the exit code.  The child ends with the test, if not before. */
static inline struct child start_child(int (*run)(struct act *act))
{
	struct child child;
	int down[2], up[2];

	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		struct act act = { .to = up[1], .from = down[0] };

		close(down[1]);
		close(up[0]);
		_exit(run(&act));
	}
	close(down[0]);
	close(up[1]);
	child = (struct child){ .pid = child.pid, .to = down[1], .from = up[0] };
	assert_true(n_children < CHILDREN_MAX);
	return children[n_children++] = child;
}

static inline struct told hear(struct child *child)
{
	struct told told;

	assert_int_equal(read(child->from, &told, sizeof(told)), sizeof(told));
	return told;
}

/* The same for a child that is expected to have managed it. */
static inline struct told hear_well(struct child *child)
{
	struct told told = hear(child);

	assert_int_equal(told.error, 0);
	return told;
}

static void (*first_act)(struct told *told); /* of the child that is started */

static inline int run_first_act(struct act *act)
{
	struct told told = { 0 };

	first_act(&told);
	return act_stay(act, &told);
}

/* A child that does something, tells of it, and stays as it is until a step, or the test's end. */
static inline struct child start_and_hear(void (*run)(struct told *told))
{
	struct child child;

	first_act = run;
	child = start_child(run_first_act);
	child.told = hear(&child);
	return child;
}

/* The same for a child that is expected to have managed it. */
static inline struct child start_and_hear_well(void (*run)(struct told *told))
{
	struct child child = start_and_hear(run);

	assert_int_equal(child.told.error, 0);
	return child;
}

static inline void step(struct child *child)
{
	assert_int_equal(write(child->to, "", 1), 1);
}

/* Lets the child end (a child that awaits a step leaves) and returns its wait status. */
static inline int end_child(struct child *child)
{
	int status = 0;

	close(child->to);
	close(child->from);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	for (size_t i = 0; i < n_children; i++)
		if (children[i].pid == child->pid)
			children[i] = children[--n_children];
	return status;
}

/* Teardown: ends those that the test has not ended, however it went. */
static inline int end_children(void **state)
{
	while (n_children > 0) {
		struct child last = children[--n_children];

		close(last.to);
		close(last.from);
		if (waitpid(last.pid, NULL, WNOHANG) != 0)
			continue; /* it has ended before */
		kill(last.pid, SIGKILL);
		waitpid(last.pid, NULL, 0);
	}
	return 0;
}

/* What the daemon does once it has opened everything.  0, negative errno. */
static inline int drop_everything(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* The child's error is none, or that there is no IPv6 on the loopback interface: then skips. */
static inline void need_ipv6(int error)
{
	if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT)
		skip();
	assert_int_equal(error, 0);
}

/* The same of MPTCP. */
static inline void need_mptcp(int error)
{
	if (error == -EPROTONOSUPPORT || error == -ENOPROTOOPT || error == -EINVAL)
		skip();
	assert_int_equal(error, 0);
}

static inline struct process_id identity(pid_t pid)
{
	struct process_id id;

	assert_int_equal(procfs_identity(pid, &id), 0);
	return id;
}

/* --- sockets --- */

static inline uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n);
	return cookie;
}

static inline uint16_t port_of(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof(a);

	getsockname(fd, (struct sockaddr *)&a, &n);
	/* the port is at the same place in both families */
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static inline struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port),
	};
}

static inline int bind_to(int fd, uint16_t port)
{
	struct sockaddr_in a = loopback(port);

	return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

static inline int connect_to(int fd, uint16_t port)
{
	struct sockaddr_in a = loopback(port);

	return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

static inline int bind6_to(int fd, uint16_t port)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons(port),
	};

	return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

/* A listener on loopback, on a port of the kernel's choice; what it is goes into *told. */
static inline int open_listener(int protocol, struct told *told)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (fd < 0 || bind_to(fd, 0) < 0 || listen(fd, 8) < 0)
		told->error = -errno;
	told->fd = fd;
	told->port = port_of(fd);
	told->cookie = cookie_of(fd);
	return fd;
}

/* The same, bound only. */
static inline int open_bound(int type, struct told *told)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind_to(fd, 0) < 0)
		told->error = -errno;
	told->fd = fd;
	told->port = port_of(fd);
	told->cookie = cookie_of(fd);
	return fd;
}

static inline void run_listener(struct told *told)
{
	open_listener(0, told);
}

/* One watcher for all tests; each begins without events and children. */
#define WATCHING_TEST_MAIN(setup, teardown)                                                \
	int main(void)                                                                     \
	{                                                                                  \
		set_up_each_test(forget_events, end_children);                             \
		return cmocka_run_group_tests_name(__BASE_FILE__, tests, setup, teardown); \
	}

#endif
