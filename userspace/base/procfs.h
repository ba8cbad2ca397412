/* SPDX-License-Identifier: MIT */
/*
 * Reads /proc/PID for the facts that every process may read of every other (stat, cmdline, cgroup)
 * and, where the reader is allowed, cwd and exe.  Each function copes with the process vanishing
 * at any moment: -ESRCH, never a half-filled answer.
 */
#ifndef BASE_PROCFS_H
#define BASE_PROCFS_H

#include <stddef.h>

#include "base/process.h"

#define PROCFS_CMDLINE_SIZE 4096 /* longer command lines are cut there */
#define PROCFS_CGROUP_SIZE  4096

/*
 * A small file of /proc or /sys as text, ended with NUL; what is longer than size - 1 is cut.  Its
 * length or negative errno, and then ret is "".
 */
ssize_t procfs_read(const char *path, char *ret, size_t size);

/* The same of a file below /proc/PID; -ESRCH when the process is gone. */
ssize_t procfs_read_of(pid_t pid, const char *name, char *ret, size_t size);

/* The identity of a live process; 0, -ESRCH. */
int procfs_identity(pid_t pid, struct process_id *ret);

/*
 * Everything of struct process that /proc gives the caller: id, uid, ppid, sid, comm, the chain
 * of ancestors, exe and cwd where readable (else "").  cgroup_id stays 0.  0, -ESRCH.
 */
int procfs_describe(pid_t pid, struct process *ret);

/*
 * The same without what costs most: id, ppid, sid, comm and the parent as the only ancestor, each
 * of one moment.  uid is PROCESS_UID_UNKNOWN, the rest empty.  0, -ESRCH.
 */
int procfs_describe_briefly(pid_t pid, struct process *ret);

/* A brief description and the descriptor by which it is brought up to date; { 0 } = none. */
struct procfs_kept {
	struct process process; /* pid 0: nothing is kept */
	int fd;
};

/*
 * The same as procfs_describe_briefly() for a process that is described again and again: one read
 * instead of two files.  Whatever was kept before of another process is dropped.  0, -ESRCH.
 */
int procfs_describe_kept(struct procfs_kept *kept, pid_t pid, struct process *ret);
void procfs_kept_deinit(struct procfs_kept *kept);

/* Its link "exe" or "cwd" as procfs_describe() gives it, the end of one that is too long; "" where
 * it may not be read: other users' processes, kernel threads. */
void procfs_link(pid_t pid, const char *name, char ret[static PROCESS_PATH_SIZE]);

/* The name of its controlling terminal, "pts/3"; "" when it has none.  0, -ESRCH. */
#define PROCFS_TTY_SIZE 32
int procfs_tty(const struct process_id *id, char *ret, size_t size);

/*
 * The command line with its arguments joined by single spaces, NUL-terminated, cut to size - 1.
 * Kernel threads and zombies give "".  0, -ESRCH (also when the pid now belongs to another
 * process than `id`).
 */
int procfs_cmdline(const struct process_id *id, char *ret, size_t size);

/*
 * The same as what tells it from others, with the hash that a refusal has of its caller's; bytes is
 * 0 where the command line is empty.  0, -ESRCH.
 */
int procfs_arguments(const struct process_id *id, struct process_arguments *ret);

/*
 * Its arguments as the kernel keeps them, each ended by a NUL, and one more behind the last; cut to
 * size - 1.  A program that writes a title over its arguments leaves that as the first.  Their
 * bytes without that NUL, or -ESRCH as above.
 */
ssize_t procfs_argv(const struct process_id *id, char *ret, size_t size);

/* One-letter state of the process ('R', 'S', 'T', 't', 'Z', 'D', …); 0 when it is gone. */
char procfs_state(const struct process_id *id);

/*
 * Command line ("" unless asked for), cgroup and state, of one moment: each of them alone has to
 * ask again whether the pid still means this process.  The cgroup is the path in v2 ("0::") where
 * that says more than "/", else the longest of the v1 hierarchies; "" when it does not fit.
 * 0; -ESRCH, and then all of them are empty.
 */
struct procfs_facts {
	char cmdline[PROCFS_CMDLINE_SIZE];
	char cgroup[PROCFS_CGROUP_SIZE];
	char state;
};
int procfs_facts(const struct process_id *id, bool with_cmdline, struct procfs_facts *ret);

/* The effective uid; PROCESS_UID_UNKNOWN when it is gone.  One file, where procfs_describe() reads
 * a dozen. */
uid_t procfs_uid(pid_t pid);

/*
 * The user who started it: of its login (/proc/PID/loginuid), also below sudo; where the system
 * keeps none, of a process of root's the nearest ancestor that is not root's, or else the leader of
 * its session, the user's shell.  The environment, which says SUDO_UID, is anybody's to write.
 * PROCESS_UID_UNKNOWN when the process is gone.
 */
uid_t procfs_starter(const struct process_id *id);

/* True when the process ignores SIGHUP (what nohup asks for); false also when it is gone. */
bool procfs_ignores_hangup(const struct process_id *id);

/* True while exactly this process exists (a zombie is gone). */
bool procfs_alive(const struct process_id *id);

/* A process whose main thread has left others behind runs. */
enum process_stage procfs_stage(const struct process_id *id);
/*
 * Whether its first thread has ended, or is about to.  Others may run on; of a program whose first
 * thread stays to the end this tells that it was killed, while the last one is taken apart.
 */
bool procfs_main_thread_ends(const struct process_id *id);

/* Unix time in seconds at which the process started. */
int64_t procfs_start_unix(const struct process_id *id);

/* A string that changes with each boot (/proc/sys/kernel/random/boot_id); static storage. */
const char *procfs_boot_id(void);

/*
 * Memory that is this process's own, in bytes: the proportional set size where the kernel tells it
 * (pages shared with other programs count in part), else the resident set.  0, negative errno.
 */
int procfs_own_memory(uint64_t *ret_bytes);

#endif
