/* SPDX-License-Identifier: MIT */
/*
 * Programs of cgroups beside ours: what they do to a bind() is told, and ours change nothing.
 *
 * They are on a cgroup of this test's own, which a child enters before it opens its socket: a
 * socket belongs to where its process was then.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <mntent.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kernel/actors.h"

#define PATH_BYTES 256
#define CODE_MAX   8

/* --- programs --- */

#define SET(reg, value)                                                               \
	{                                                                             \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value) \
	}
/* Of a register: a constant may be stored into the context since 6.3 only. */
#define STORE(offset, reg)                                                                 \
	{                                                                                  \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_1, .src_reg = (reg), \
		.off = (int)(offset)                                                       \
	}
#define LOAD(reg, offset)                                                                  \
	{                                                                                  \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (reg), .src_reg = BPF_REG_1, \
		.off = (int)(offset)                                                       \
	}
#define SKIP_ONE_UNLESS(reg, value)                                                           \
	{                                                                                     \
		.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = (reg), .off = 1, .imm = (value) \
	}
#define RETURN()                           \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

enum { DENY = 0, ALLOW = 1, ALLOW_LOW_PORTS = 3 }; /* BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE */

struct program {
	enum bpf_prog_type type;
	enum bpf_attach_type hook;
	struct bpf_insn code[CODE_MAX];
	size_t n;
	bool on_root;
};

static char root[PATH_BYTES], group[PATH_BYTES + 32];

static int open_cgroup(const struct program *p)
{
	return open(p->on_root ? root : group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int load(const struct program *p)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = p->hook);

	return bpf_prog_load(p->type, "test", "GPL", p->code, p->n, &options);
}

/* Returns the program's descriptor. */
static int attach(const struct program *p)
{
	_cleanup_close_ int cgroup = open_cgroup(p);
	int fd = load(p);

	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_attach(fd, cgroup, p->hook, BPF_F_ALLOW_MULTI), 0);
	return fd;
}

static void detach(const struct program *p, int fd)
{
	_cleanup_close_ int cgroup = open_cgroup(p);

	assert_int_equal(bpf_prog_detach2(fd, cgroup, p->hook), 0);
	close(fd);
}

static uint64_t group_id(void)
{
	struct stat st;

	assert_int_equal(stat(group, &st), 0);
	return st.st_ino;
}

/* --- children --- */

static int enter_group(void)
{
	char path[sizeof(group) + 16], text[16];
	_cleanup_close_ int fd = -1;
	int n = snprintf(text, sizeof(text), "%d", getpid());

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, text, (size_t)n) != n ? -errno : 0;
}

/* Where a parent wants its child to bind, and as whom; set before the child is made. */
static uint16_t port;
static uid_t user;

/* Binds in the group, and tells what it got; then, told so, another socket. */
static int run_in_group(struct act *act)
{
	struct told told = { .error = enter_group() };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!told.error && user && setresuid(user, user, user) < 0)
		told.error = -errno;
	told.error = told.error ?: bind_to(fd, port);
	told.cookie = cookie_of(fd);
	told.port = port_of(fd);
	act_tell_and_await(act, &told);
	told.error = 0;
	open_bound(SOCK_STREAM, &told);
	return act_stay(act, &told);
}

/* A port that is free and that nobody else is going to bind meanwhile: it is held elsewhere. */
static int reserve_port(void)
{
	struct told told = { 0 };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd >= 0 && bind6_to(fd, 0) == 0) {
		port = port_of(fd);
		return fd;
	}
	close(fd);
	fd = open_bound(SOCK_STREAM, &told); /* no IPv6 here */
	port = told.port;
	close(fd);
	return -1;
}

/* --- denied --- */

static const struct program deny_bind = {
	BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	BPF_CGROUP_INET4_BIND,
	{ SET(BPF_REG_0, DENY), RETURN() },
	2,
};

TEST_WITH(bind_that_a_program_denies_says_so_and_which_cgroup, struct watcher *w)
{
	_cleanup_close_ int reserved = reserve_port();
	int program = attach(&deny_bind);
	struct child child = start_child(run_in_group);
	const struct event *e;

	assert_int_equal(hear(&child).error, -EPERM);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(e->error, EPERM);
	assert_int_equal(e->stage, EVENT_STAGE_DENIED);
	assert_int_equal(e->program_cgroup_id, group_id());
	assert_int_equal(e->port, port);
	end_child(&child);
	detach(&deny_bind, program);
}

/* --- rewritten --- */

static struct program rewrite(uint16_t to)
{
	return (struct program){
		BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		BPF_CGROUP_INET4_BIND,
		{ SET(BPF_REG_2, htons(to)),
		  STORE(offsetof(struct bpf_sock_addr, user_port), BPF_REG_2),
		  SET(BPF_REG_2, (int32_t)htonl(0x7f000002)),
		  STORE(offsetof(struct bpf_sock_addr, user_ip4), BPF_REG_2), SET(BPF_REG_0, ALLOW),
		  RETURN() },
		6,
	};
}

TEST_WITH(address_that_a_program_rewrites_is_told_beside_the_asked_one, struct watcher *w)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002) };
	_cleanup_close_ int reserved = reserve_port();
	_cleanup_close_ int owner = socket(AF_INET, SOCK_STREAM, 0);
	struct program rewriting;
	const struct event *e;
	struct child child;
	int program;

	assert_int_equal(bind(owner, (struct sockaddr *)&a, sizeof(a)), 0);
	rewriting = rewrite(port_of(owner));
	program = attach(&rewriting);
	child = start_child(run_in_group);
	assert_int_equal(hear(&child).error, -EADDRINUSE);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(e->stage, EVENT_STAGE_PASSED);
	assert_int_equal(e->port, port);
	assert_memory_equal(e->addr.bytes, "\x7f\0\0\1", 4);
	assert_true(event_is_rewritten(e));
	assert_int_equal(e->given_port, port_of(owner));
	assert_memory_equal(e->given_addr.bytes, "\x7f\0\0\2", 4);
	assert_int_equal(e->program_cgroup_id, group_id());
	assert_int_equal(e->n_owners, 1);
	assert_int_equal(e->owners[0].cookie, cookie_of(owner));
	end_child(&child);
	detach(&rewriting, program);
}

TEST_WITH(bind_that_is_rewritten_and_succeeds_is_reported_where_it_is, struct watcher *w)
{
	_cleanup_close_ int reserved = reserve_port();
	const struct program rewriting = rewrite(port);
	int program = attach(&rewriting);
	struct child child;
	const struct event *e;

	port = 0;
	child = start_child(run_in_group);
	hear_well(&child);
	e = await_event(w, EVENT_BIND, child.pid);
	assert_memory_equal(e->addr.bytes, "\x7f\0\0\2", 4);
	assert_int_not_equal(e->port, 0);
	assert_int_equal(count_events(w, EVENT_FAIL, child.pid), 0);
	end_child(&child);
	detach(&rewriting, program);
}

/* --- taken back --- */

static const struct program deny_bound = {
	BPF_PROG_TYPE_CGROUP_SOCK,
	BPF_CGROUP_INET4_POST_BIND,
	{ SET(BPF_REG_0, DENY), RETURN() },
	2,
};

/* Before 6.1 ours does not see that another program has refused, and takes back what it told. */
static void skip_where_it_is_taken_back(struct watcher *w, const struct event *bind,
					const struct told *denied)
{
	const struct event *close;

	if (bind->cookie != denied->cookie)
		return;
	close = find_event(w, EVENT_CLOSE, bind->actor.pid, 0);
	assert_non_null(close);
	assert_int_equal(close->cookie, denied->cookie);
	skip();
}

TEST_WITH(bind_that_is_denied_with_its_port_is_not_reported_as_bound, struct watcher *w)
{
	_cleanup_close_ int reserved = reserve_port();
	int program = attach(&deny_bound);
	struct child child = start_child(run_in_group);
	const struct event *e;
	struct told denied = hear(&child), told;

	assert_int_equal(denied.error, -EPERM);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(e->stage, EVENT_STAGE_BOUND);
	assert_int_equal(e->program_cgroup_id, group_id());
	detach(&deny_bound, program);
	step(&child);
	told = hear_well(&child);
	e = await_event(w, EVENT_BIND, child.pid); /* the first of all */
	skip_where_it_is_taken_back(w, e, &denied);
	assert_int_equal(e->cookie, told.cookie);
}

/* On the root, attached after ours: it runs behind them.  Everybody's binds pass it but one port's.
 */
TEST_WITH(port_that_is_taken_back_behind_our_programs_is_closed_again, struct watcher *w)
{
	_cleanup_close_ int reserved = reserve_port();
	const struct program deny_port = {
		BPF_PROG_TYPE_CGROUP_SOCK,
		BPF_CGROUP_INET4_POST_BIND,
		{ LOAD(BPF_REG_2, offsetof(struct bpf_sock, src_port)), SET(BPF_REG_0, ALLOW),
		  SKIP_ONE_UNLESS(BPF_REG_2, port), SET(BPF_REG_0, DENY), RETURN() },
		5,
		.on_root = true,
	};
	int program = attach(&deny_port);
	struct child child = start_child(run_in_group);
	struct told told = hear(&child);
	const struct event *fail, *close;

	detach(&deny_port, program);
	assert_int_equal(told.error, -EPERM);
	fail = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(fail->stage, EVENT_STAGE_BOUND);
	assert_int_equal(find_event(w, EVENT_BIND, child.pid, 0)->cookie, told.cookie);
	close = find_event(w, EVENT_CLOSE, child.pid, 0);
	assert_non_null(close);
	assert_int_equal(close->cookie, told.cookie);
	assert_true(close < fail); /* who asks about the refusal finds nothing bound */
}

/* --- by others --- */

TEST_WITH(bind_that_the_kernel_refuses_came_past_the_programs, struct watcher *w)
{
	struct told holder = { 0 };
	_cleanup_close_ int fd = open_bound(SOCK_STREAM, &holder);
	struct child child;
	const struct event *e;

	port = holder.port;
	child = start_child(run_in_group);
	assert_int_equal(hear(&child).error, -EADDRINUSE);
	e = await_event(w, EVENT_FAIL, child.pid);
	assert_int_equal(e->stage, EVENT_STAGE_PASSED);
	assert_false(event_is_rewritten(e));
}

/* Of linux/landlock.h since Linux 6.7; distributions have older headers. */
struct landlock_rules {
	uint64_t handled_access_fs, handled_access_net;
};
#define LANDLOCK_BIND_TCP	  (1ULL << 0)
#define LANDLOCK_VERSION_WITH_NET 4

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif

static void run_under_landlock(struct told *told)
{
	struct landlock_rules rules = { .handled_access_net = LANDLOCK_BIND_TCP };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		told->error = -errno;
	else
		told->error = bind_to(socket(AF_INET, SOCK_STREAM, 0), 80);
}

TEST_WITH(bind_that_a_security_module_refuses_never_came_to_the_programs, struct watcher *w)
{
	struct child child;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < LANDLOCK_VERSION_WITH_NET)
		skip();
	child = start_and_hear(run_under_landlock);
	assert_int_equal(child.told.error, -EACCES);
	assert_int_equal(await_event(w, EVENT_FAIL, child.pid)->stage, EVENT_STAGE_ENTERED);
}

/* --- ours change nothing --- */

static const struct program allow_low_ports = {
	BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	BPF_CGROUP_INET4_BIND,
	{ SET(BPF_REG_0, ALLOW_LOW_PORTS), RETURN() },
	2,
};

/* Before 5.12 there is no such right. */
static bool can_be_loaded(const struct program *p)
{
	_cleanup_close_ int fd = load(p);

	return fd >= 0;
}

TEST_WITH(right_that_a_program_gives_is_left_and_none_is_added, struct watcher *w)
{
	struct child child;
	int program;

	if (!can_be_loaded(&allow_low_ports))
		skip();
	user = NOBODY;
	port = 79; /* finger: nobody has it */
	child = start_child(run_in_group);
	assert_int_equal(hear(&child).error, -EACCES);
	assert_int_equal(await_event(w, EVENT_FAIL, child.pid)->stage, EVENT_STAGE_PASSED);
	end_child(&child);
	program = attach(&allow_low_ports);
	child = start_child(run_in_group);
	assert_int_equal(hear_well(&child).port, port);
	await_event(w, EVENT_BIND, child.pid);
	end_child(&child);
	detach(&allow_low_ports, program);
	user = 0;
}

/* --- the group --- */

static int make_group(void **state)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	while (mounts && (m = getmntent(mounts)))
		if (strcmp(m->mnt_type, "cgroup2") == 0 && !*root)
			snprintf(root, sizeof(root), "%s", m->mnt_dir);
	if (mounts)
		endmntent(mounts);
	snprintf(group, sizeof(group), "%s/pd-test-%d", root, getpid());
	return *root && mkdir(group, 0755) == 0 ? start_watching(state) : -1;
}

static int remove_group(void **state)
{
	rmdir(group);
	return stop_watching(state);
}

WATCHING_TEST_MAIN(make_group, remove_group)
