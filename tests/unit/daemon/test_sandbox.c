/* SPDX-License-Identifier: MIT */
/* What is left to a process in the sandbox, and what is not: each test goes in with a child. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "daemon/sandbox.h"
#include "registry/registry.h"
#include "testing.h"
#include "unit/directory.h"

#define SKIPS 77 /* the child's exit status */

struct place {
	char root[DIRECTORY_SIZE], own[64], socket[64],
		outside[64]; /* directories of root; a file in outside */
	struct sandbox_config config;
	struct sandbox_report report;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	char path[96];

	assert_non_null(p);
	directory_make(p->root);
	snprintf(p->own, sizeof(p->own), "%s/own", p->root);
	snprintf(p->socket, sizeof(p->socket), "%s/run", p->root);
	snprintf(p->outside, sizeof(p->outside), "%s/theirs", p->root);
	assert_int_equal(mkdir(p->own, 0700) | mkdir(p->socket, 0700), 0);
	close(creat(p->outside, 0600));
	snprintf(path, sizeof(path), "%s/pd.sock", p->socket);
	p->config = (struct sandbox_config){ .directory = p->own, .socket = strdup(path) };
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	directory_remove(p->root);
	free((char *)p->config.socket);
	free(p);
	return 0;
}

/* --- in a child --- */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "# line %d: %s: errno %d\n", __LINE__, #condition, errno); \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* The exit status is that of the test; what the kernel lacks is its skip. */
static void go_in(struct place *p, void (*before)(void), void (*inside)(struct place *p))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (before)
			before();
		CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		sandbox_enter(&p->config, &p->report);
		inside(p);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPS)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST_INSIDE(name, before, inside) \
	TEST_WITH(name, struct place *p)  \
	{                                 \
		go_in(p, before, inside); \
	}

static void need_system_calls(const struct place *p)
{
#if __has_include(<seccomp.h>)
	if (prctl(PR_GET_SECCOMP) < 0)
		_exit(SKIPS);
	CHECK(p->report.system_calls);
#else
	_exit(SKIPS);
#endif
}

static void need_landlock(const struct place *p, int version)
{
	const char *why = p->report.without_landlock;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* its version */) < version ||
	    (why && strstr(why, "hidepid")))
		_exit(SKIPS);
	CHECK(p->report.landlock >= version);
}

/* --- system calls --- */

/* With arguments that do nothing; 'p' stands for the parent's pid. */
static const struct {
	const char *name;
	long number, arguments[4];
} refused[] = {
#ifndef SANITIZED /* which needs them */
	{ "execve", SYS_execve, { 0 } },
	{ "ptrace", SYS_ptrace, { -1, 'p' } },
	{ "process_vm_readv", SYS_process_vm_readv, { 'p', 0, 0, 0 } },
#endif
	{ "process_vm_writev", SYS_process_vm_writev, { 'p', 0, 0, 0 } },
	{ "kill", SYS_kill, { 'p', 0 } },
	{ "tgkill", SYS_tgkill, { 'p', 'p', 0 } },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, { -1, 0 } },
	{ "pidfd_getfd", SYS_pidfd_getfd, { -1, 0 } },
	{ "prlimit64", SYS_prlimit64, { 'p', RLIMIT_CORE, 0, 0 } },
	{ "unshare", SYS_unshare, { -1 } },
	{ "setns", SYS_setns, { -1, 0 } },
	{ "mount", SYS_mount, { 0, 0, 0, 0 } },
	{ "chroot", SYS_chroot, { 0 } },
	{ "setresuid", SYS_setresuid, { -1, -1, -1 } },
	{ "capset", SYS_capset, { 0, 0 } },
	{ "keyctl", SYS_keyctl, { -1 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 0, 0 } },
	{ "userfaultfd", SYS_userfaultfd, { -1 } },
	{ "perf_event_open", SYS_perf_event_open, { 0 } },
	{ "init_module", SYS_init_module, { 0, 0, 0 } },
	{ "memfd_create", SYS_memfd_create, { 0, 0 } },
	{ "bpf PROG_LOAD", SYS_bpf, { BPF_PROG_LOAD, 0, 0 } },
	{ "bpf MAP_CREATE", SYS_bpf, { BPF_MAP_CREATE, 0, 0 } },
	{ "bpf MAP_GET_FD_BY_ID", SYS_bpf, { BPF_MAP_GET_FD_BY_ID, 0, 0 } },
	{ "socket AF_PACKET", SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
	{ "ioctl TIOCSTI", SYS_ioctl, { STDIN_FILENO, TIOCSTI, 0 } },
	{ "ioctl TIOCLINUX", SYS_ioctl, { STDIN_FILENO, TIOCLINUX, 0 } },
#if __SIZEOF_LONG__ == 8 /* the kernel does not look at its upper half */
	{ "ioctl TIOCSTI and more", SYS_ioctl, { STDIN_FILENO, 1L << 32 | TIOCSTI, 0 } },
#endif
};

static bool is_known[ARRAY_SIZE(refused)];

static int error_of(size_t i)
{
	long a[4];

	for (size_t n = 0; n < ARRAY_SIZE(a); n++)
		a[n] = refused[i].arguments[n] == 'p' ? getppid() : refused[i].arguments[n];
	return syscall(refused[i].number, a[0], a[1], a[2], a[3]) < 0 ? errno : 0;
}

static void ask_before(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		is_known[i] = error_of(i) != ENOSYS;
}

static void ask_for_refused(struct place *p)
{
	size_t n = 0;

	need_system_calls(p);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (error_of(i) != ENOSYS) {
			fprintf(stderr, "# %s was carried out\n", refused[i].name);
			_exit(1);
		}
		n += is_known[i];
	}
	/* others are what this kernel lacks */
	CHECK(n > ARRAY_SIZE(refused) / 2);
}

TEST_INSIDE(call_that_no_daemon_makes_is_answered_as_by_a_kernel_without_it, ask_before,
	    ask_for_refused)

#ifndef SANITIZED
static void try_to_fork(struct place *p)
{
	need_system_calls(p);
	CHECK(fork() < 0 && errno == ENOSYS);
}

TEST_INSIDE(no_process_is_started, NULL, try_to_fork)
#endif

static int gate[2];
static pthread_t early;

static void *unshare_behind_gate(void *unused)
{
	char byte;

	return read(gate[0], &byte, 1) == 1 && syscall(SYS_unshare, 0) < 0 && errno == ENOSYS
		       ? gate
		       : NULL;
}

static void start_thread(void)
{
	CHECK(!pipe(gate));
	CHECK(!pthread_create(&early, NULL, unshare_behind_gate, NULL));
}

static void let_thread_try(struct place *p)
{
	void *refuses = NULL;

	need_system_calls(p);
	CHECK(write(gate[1], "", 1) == 1 && !pthread_join(early, &refuses));
	CHECK(refuses);
}

TEST_INSIDE(thread_that_runs_already_is_held_as_well, start_thread, let_thread_try)

/* --- what is left --- */

static void *nothing(void *unused)
{
	return unused;
}

static int listen_on(struct sockaddr_in *ret)
{
	socklen_t size = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CHECK(!bind(fd, (struct sockaddr *)ret, size) && !listen(fd, 1));
	CHECK(!getsockname(fd, (struct sockaddr *)ret, &size));
	return fd;
}

static struct sockaddr_in server;

static void start_server(void)
{
	listen_on(&server);
}

static void work(struct place *p)
{
	char error[REGISTRY_NEWS_SIZE], path[96], text[8];
	struct registry *registry;
	struct addrinfo *found;
	pthread_t thread;
	int fd;

	CHECK(!pthread_create(&thread, NULL, nothing, NULL) && !pthread_join(thread, NULL));
	CHECK(!getaddrinfo("localhost", "80", NULL, &found));
	freeaddrinfo(found);
	CHECK(getpwuid(0));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!connect(fd, (struct sockaddr *)&server, sizeof(server)));
	CHECK(eventfd(0, 0) >= 0 && timerfd_create(CLOCK_REALTIME, 0) >= 0 &&
	      inotify_init1(0) >= 0);
	CHECK(syscall(SYS_pidfd_open, getppid(), 0) >= 0);
	CHECK(!kill(getpid(), 0) && !raise(SIGCHLD));
	CHECK(!ioctl(STDIN_FILENO, TIOCGWINSZ, text) || errno != ENOSYS);
	snprintf(path, sizeof(path), "%s/port-registry.db", p->own);
	CHECK(!registry_open(path, &registry, error, sizeof(error)));
	registry_close(registry);
	fd = open("/proc/self/stat", O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) > 0);
}

TEST_INSIDE(what_the_daemon_does_is_left, start_server, work)

/* --- files, ports, signals --- */

static void in(const char *directory, const char *name, char ret[static 96])
{
	snprintf(ret, 96, "%s/%s", directory, name);
}

static void bind_unix(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	CHECK(!bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof(name)));
}

static void use_own_files(struct place *p)
{
	char one[96], other[96];
	int fd;

	in(p->own, "one", one);
	in(p->own, "other", other);
	fd = open(one, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, "1234", 4) == 4 && !ftruncate(fd, 2) && !rename(one, other));
	CHECK(!unlink(other) && !mkdir(one, 0700));
	bind_unix(p->config.socket);
	CHECK(!chmod(p->config.socket, 0666) && !unlink(p->config.socket));
	CHECK(open("/etc/passwd", O_RDONLY) >= 0);
}

static void touch_others(struct place *p)
{
	char path[96];

	need_landlock(p, 1);
	use_own_files(p);
	CHECK(open(p->outside, O_WRONLY) < 0 && errno == EACCES);
	CHECK(open(p->outside, O_RDONLY) < 0 && errno == EACCES);
	CHECK(unlink(p->outside) < 0 && errno == EACCES);
	in(p->root, "new", path);
	CHECK(open(path, O_RDWR | O_CREAT, 0600) < 0 && errno == EACCES);
	CHECK(mkdir(path, 0700) < 0 && errno == EACCES);
	in(p->socket, "new", path);
	CHECK(open(path, O_RDWR | O_CREAT, 0600) < 0 && errno == EACCES);
}

TEST_INSIDE(only_own_files_are_written_and_nobodys_read, NULL, touch_others)

static void bind_a_port(struct place *p)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need_landlock(p, 4);
	CHECK(bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 && errno == EACCES);
}

TEST_INSIDE(no_port_is_bound, NULL, bind_a_port)

static void look_at_parent(struct place *p)
{
	char path[48], target[96];

	CHECK(p->report.landlock == 0 && p->report.without_landlock);
	snprintf(path, sizeof(path), "/proc/%d/exe", getppid());
	CHECK(readlink(path, target, sizeof(target)) > 0);
}

TEST_WITH(who_reads_the_descriptors_of_others_goes_on_reading_them, struct place *p)
{
	p->config.reads_descriptors = true;
	go_in(p, NULL, look_at_parent);
}

static void raise_limits(struct place *p)
{
	struct rlimit limit;

	CHECK(!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur == 0 && limit.rlim_max == 0);
	CHECK(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max == limit.rlim_cur &&
	      limit.rlim_cur > 0);
}

TEST_INSIDE(limits_are_as_low_as_what_is_in_use, NULL, raise_limits)

EACH_TEST_MAIN(setup, teardown)
