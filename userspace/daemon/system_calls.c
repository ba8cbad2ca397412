/* SPDX-License-Identifier: MIT */
#include "daemon/system_calls.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libseccomp is not everywhere, and a build without it is as good as a kernel without seccomp. */
#if __has_include(<seccomp.h>)
#include <linux/bpf.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sanitized.h"

#define UNKNOWN SCMP_ACT_ERRNO(ENOSYS)

#ifdef SANITIZED
/* The leak checker looks at the threads from a process beside them, and symbols are found by a
 * program. */
#define SANITIZERS "clone", "execve", "fork", "personality", "process_vm_readv", "ptrace", "vfork",
#else
#define SANITIZERS
#endif

/*
 * The daemon's own, and what its libraries are known to use: of glibc since 2.31 with its resolver
 * and the name service's modules, SQLite, libevent, libbpf, OpenSSL.  Whole families stand here
 * where one member does no more than another.  What is not here, and why it would be missed by
 * whoever took the daemon over: exec*, ptrace, process_vm_*, pidfd_getfd and pidfd_send_signal,
 * unshare, setns, mount and its family, chroot, set*id, capset, the keyrings, io_uring,
 * userfaultfd, perf_event_open, modules, memfd_create, SysV and POSIX queues.
 */
static const char *const allowed[] = {
	/* files */
	"access", "arm_fadvise64_64", "chmod", "close", "close_range", "copy_file_range", "dup",
	"dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate",
	"fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fcntl", "fcntl64", "fdatasync",
	"flock", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
	"ftruncate64", "getcwd", "getdents", "getdents64", "inotify_add_watch", "inotify_init",
	"inotify_init1", "inotify_rm_watch", "link", "linkat", "_llseek", "lseek", "lstat",
	"lstat64", "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2", "pipe", "pipe2",
	"pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
	"readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "sendfile",
	"sendfile64", "stat", "stat64", "statfs", "statfs64", "statx", "sync_file_range", "umask",
	"uname", "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "write", "writev",
	/* memory */
	"brk", "madvise", "membarrier", "mincore", "mlock", "mmap", "mmap2", "mprotect", "mremap",
	"mseal", "msync", "munlock", "munmap", "map_shadow_stack", "pkey_alloc", "pkey_free",
	"pkey_mprotect",
	/* threads, and who it is; pidfd_open only looks, and clone3 is refused below */
	"arch_prctl", "capget", "clone3", "exit", "exit_group", "futex", "futex_requeue",
	"futex_time64", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
	"get_thread_area", "getcpu", "getegid", "getegid32", "geteuid", "geteuid32", "getgid",
	"getgid32", "getgroups", "getgroups32", "getpgid", "getpgrp", "getpid", "getppid",
	"getpriority", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit",
	"getrusage", "getsid", "gettid", "getuid", "getuid32", "pidfd_open", "prctl",
	"restart_syscall", "riscv_flush_icache", "riscv_hwprobe", "rseq", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_yield", "set_robust_list", "set_thread_area",
	"set_tid_address", "sysinfo", "times", "ugetrlimit", "uprobe", "uretprobe", "wait4",
	"waitid", "waitpid",
	/* signals that come */
	"pause", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
	"rt_sigtimedwait", "rt_sigtimedwait_time64", "sigaltstack", "signalfd", "signalfd4",
	"sigreturn",
	/* waiting */
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "epoll_create", "epoll_create1", "epoll_ctl",
	"epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd",
	"eventfd2", "gettimeofday", "nanosleep", "_newselect", "poll", "ppoll", "ppoll_time64",
	"pselect6", "pselect6_time64", "select", "time", "timerfd_create", "timerfd_gettime",
	"timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
	/* sockets, once there is one */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg",
	"sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
	/* the rest */
	SANITIZERS "getrandom", "ioctl"
};

/* A call that is allowed where one argument is as it says; several rows: where one of them holds.
 */
struct condition {
	const char *call;
	struct scmp_arg_cmp argument;
};

/* Of an argument of 32 bits; one that has anything above them is refused. */
#define FIRST(op, ...) SCMP_A0_32(op, __VA_ARGS__)
#define THIRD(op, ...) SCMP_A2_32(op, __VA_ARGS__)

static const struct condition conditions[] = {
	/* What answers questions and moves rules of runs; it loads no program, makes no map, and
	 * takes nobody else's by its number. */
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_MAP_UPDATE_ELEM) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_MAP_DELETE_ELEM) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_MAP_GET_NEXT_KEY) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_MAP_LOOKUP_BATCH) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_PROG_TEST_RUN) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_OBJ_GET_INFO_BY_FD) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_LINK_CREATE) },
	{ "bpf", FIRST(SCMP_CMP_EQ, BPF_ITER_CREATE) },
/* a thread, and no process */
#ifndef SANITIZED
	{ "clone", FIRST(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) },
#endif
	/* the kernel over netlink, clients over Unix, health checks over IP */
	{ "socket", FIRST(SCMP_CMP_EQ, AF_UNIX) },
	{ "socket", FIRST(SCMP_CMP_EQ, AF_INET) },
	{ "socket", FIRST(SCMP_CMP_EQ, AF_INET6) },
	{ "socket", FIRST(SCMP_CMP_EQ, AF_NETLINK) },
	/* its own, 0 */
	{ "prlimit64", FIRST(SCMP_CMP_EQ, 0) },
	/* whether a process could have been held by it (explain/environment.c) */
	{ "landlock_create_ruleset", THIRD(SCMP_CMP_EQ, 1) },
};

/* A name that this libseccomp does not know is one that its kernels had not. */
static int allow(scmp_filter_ctx filter, const char *name, unsigned n,
		 const struct scmp_arg_cmp *argument)
{
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR
		       ? 0
		       : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, n, argument);
}

/* abort() and raise() */
static int allow_own_signals(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp self = FIRST(SCMP_CMP_EQ, (uint32_t)getpid());
	int r = allow(filter, "tgkill", 1, &self);

	return r ? r : allow(filter, "kill", 1, &self);
}

static int allow_needed(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(allowed); i++)
		r = allow(filter, allowed[i], 0, NULL);
	for (size_t i = 0; !r && i < ARRAY_SIZE(conditions); i++)
		r = allow(filter, conditions[i].call, 1, &conditions[i].argument);
	return r ? r : allow_own_signals(filter);
}

static int refuse(scmp_filter_ctx filter, const char *name, unsigned n,
		  const struct scmp_arg_cmp *argument)
{
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR
		       ? 0
		       : seccomp_rule_add_array(filter, UNKNOWN, number, n, argument);
}

/* The kernel looks at the lower half of an ioctl()'s number alone. */
#define NUMBER(number) SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, number)

/*
 * A filter of its own for what is refused without an entry of the audit log, or by an argument.
 * glibc asks for clone3() at the start of each thread: its flags, which tell a thread from a
 * process, are in memory, where no filter sees them; clone() has them in a register.  The two
 * ioctl() type into the terminal that the daemon was started from.
 */
static int refuse_some(scmp_filter_ctx filter)
{
	static const struct scmp_arg_cmp typing[] = { NUMBER(TIOCSTI), NUMBER(TIOCLINUX) };
	int r = refuse(filter, "clone3", 0, NULL);

	for (size_t i = 0; !r && i < ARRAY_SIZE(typing); i++)
		r = refuse(filter, "ioctl", 1, &typing[i]);
	return r;
}

/* Calls by the numbers of another architecture, 32-bit ones on 64 bit, get the same answer. */
static int load(uint32_t otherwise, int (*fill)(scmp_filter_ctx filter), bool logs)
{
	scmp_filter_ctx filter = seccomp_init(otherwise);
	int r = filter ? seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, UNKNOWN) : -ENOMEM;

	r = r ?: seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!r && logs)
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1); /* Linux 4.14 */
	r = r ?: fill(filter);
	r = r ?: seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return r;
}

const char *system_calls_limit(void)
{
	int r = load(SCMP_ACT_ALLOW, refuse_some, false);

	r = r ?: load(UNKNOWN, allow_needed, true);
	return r ? "this kernel, or what surrounds the daemon, takes no seccomp filter" : NULL;
}
#else
const char *system_calls_limit(void)
{
	return "this build is one without libseccomp";
}
#endif
