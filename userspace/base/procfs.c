/* SPDX-License-Identifier: MIT */
#include "base/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/abi.h"

#define STAT_BYTES	   1024 /* 52 numbers and a name; the kernel's longest line is near 400 */
#define STATUS_BYTES	   4096
#define CGROUP_BYTES	   8192 /* a dozen v1 hierarchies with container paths */
#define NAME_BYTES	   64	/* "/proc/PID/cmdline" */
#define FIRST_SERIAL_MINOR 64	/* of TTY_MAJOR */

/* Fields of /proc/PID/stat by their number in proc_pid_stat(5). */
enum {
	FIELD_STATE = 3,
	FIELD_PPID = 4,
	FIELD_SESSION = 6,
	FIELD_TTY = 7,
	FIELD_FLAGS = 9,
	FIELD_THREADS = 20,
	FIELD_START = 22,
};

#define PF_EXITING 0x4 /* linux/sched.h */

struct stat_line {
	struct process_id id;
	char state;
	pid_t ppid, sid;
	dev_t tty; /* 0 = none */
	unsigned long flags;
	long threads;
	char comm[PROCESS_COMM_SIZE];
};

/* The kernel's 32-bit form of a device number (new_encode_dev), printed as a signed number. */
static dev_t decode_tty(uint32_t number)
{
	return makedev(number >> 8 & 0xfff, (number & 0xff) | (number >> 12 & 0xfff00));
}

/*
 * The name stands there as it is (only status escapes it) and may hold spaces, newlines and
 * parentheses: only the last ')' ends it.  Those of kernel threads are longer than a comm.
 */
static int parse_stat(const char *line, struct stat_line *ret)
{
	const char *name = strchr(line, '('), *p = strrchr(line, ')');
	struct stat_line s = { 0 };

	if (!name || !p || p < name)
		return -ESRCH;
	s.id.pid = (pid_t)strtol(line, NULL, 10);
	name++;
	snprintf(s.comm, sizeof(s.comm), "%.*s", (int)(p - name), name);
	for (int field = FIELD_STATE; field <= FIELD_START; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -ESRCH;
		p++;
		if (field == FIELD_STATE)
			s.state = *p;
		else if (field == FIELD_PPID)
			s.ppid = (pid_t)strtol(p, NULL, 10);
		else if (field == FIELD_SESSION)
			s.sid = (pid_t)strtol(p, NULL, 10);
		else if (field == FIELD_TTY)
			s.tty = decode_tty((uint32_t)strtol(p, NULL, 10));
		else if (field == FIELD_FLAGS)
			s.flags = strtoul(p, NULL, 10);
		else if (field == FIELD_THREADS)
			s.threads = strtol(p, NULL, 10);
		else if (field == FIELD_START)
			s.id.start_ticks = strtoull(p, NULL, 10);
	}
	*ret = s;
	return 0;
}

static int open_stat(pid_t pid)
{
	char path[NAME_BYTES];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* the file of a process that vanishes is ENOENT at open, and ESRCH at read */
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

/*
 * The line as it is now.  The kernel writes it at one go: a second read, only to see its end, would
 * cost as much.
 */
static int read_stat_from(int fd, struct stat_line *ret)
{
	char line[STAT_BYTES];
	ssize_t n;

	do
		n = pread(fd, line, sizeof(line) - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	line[n] = '\0';
	return parse_stat(line, ret);
}

static int read_stat(pid_t pid, struct stat_line *ret)
{
	_cleanup_close_ int fd = open_stat(pid);

	return fd < 0 ? fd : read_stat_from(fd, ret);
}

/* The same of this process: -ESRCH also where its pid is another's by now. */
static int read_stat_of(const struct process_id *id, struct stat_line *ret)
{
	int r = read_stat(id->pid, ret);

	return r == 0 && !process_id_equal(&ret->id, id) ? -ESRCH : r;
}

/* Is the pid still this process?  Asked after the answer was read, so that the answer is its own.
 */
static int check_identity(const struct process_id *id)
{
	struct stat_line s;

	return read_stat_of(id, &s);
}

int procfs_identity(pid_t pid, struct process_id *ret)
{
	struct stat_line s;
	int r = read_stat(pid, &s);

	if (r == 0)
		*ret = s.id;
	return r;
}

/* The effective uid.  The owner of /proc/PID would be root's for a process that is not dumpable. */
static int read_uid(pid_t pid, uid_t *ret)
{
	char status[STATUS_BYTES];
	ssize_t n = procfs_read_of(pid, "status", status, sizeof(status));
	const char *line;
	unsigned real, effective;

	if (n < 0)
		return (int)n;
	line = strstr(status, "\nUid:");
	if (!line || sscanf(line, "\nUid: %u %u", &real, &effective) != 2)
		return -ESRCH;
	*ret = effective;
	return 0;
}

uid_t procfs_uid(pid_t pid)
{
	uid_t uid;

	return read_uid(pid, &uid) ? PROCESS_UID_UNKNOWN : uid;
}

bool procfs_ignores_hangup(const struct process_id *id)
{
	char status[STATUS_BYTES];
	ssize_t n = procfs_read_of(id->pid, "status", status, sizeof(status));
	const char *line = n < 0 ? NULL : strstr(status, "\nSigIgn:");
	unsigned long long ignored;

	if (!line || sscanf(line, "\nSigIgn: %llx", &ignored) != 1)
		return false;
	return ignored & 1ULL << (SIGHUP - 1) && procfs_alive(id);
}

/*
 * Follows the parents upward.  A parent that ends meanwhile cuts the chain there; one that is
 * younger than its child is another process under a reused pid.
 */
static void read_ancestors(const struct stat_line *self, uint8_t max, struct process *p)
{
	struct stat_line child = *self, parent;

	while (p->n_ancestors < max && child.ppid > 0) {
		struct process_ancestor *a = &p->ancestors[p->n_ancestors];

		if (read_stat(child.ppid, &parent) < 0 ||
		    parent.id.start_ticks > child.id.start_ticks)
			return;
		a->id = parent.id;
		a->sid = parent.sid;
		memcpy(a->comm, parent.comm, sizeof(a->comm));
		p->n_ancestors++;
		child = parent;
	}
}

static struct process process_of_stat(const struct stat_line *s)
{
	struct process p = {
		.id = s->id, .uid = PROCESS_UID_UNKNOWN, .ppid = s->ppid, .sid = s->sid
	};

	memcpy(p.comm, s->comm, sizeof(p.comm));
	return p;
}

int procfs_describe_briefly(pid_t pid, struct process *ret)
{
	struct stat_line s;
	int r = read_stat(pid, &s);

	if (r < 0)
		return r;
	*ret = process_of_stat(&s);
	read_ancestors(&s, 1, ret);
	return 0;
}

/*
 * A parent that ends gives its children to another process, which is older than itself.  So as long
 * as the number stays the same, the parent is the same process, and it lives.
 */
static void update(const struct stat_line *s, struct process *p)
{
	if (s->ppid != p->ppid || !p->n_ancestors) {
		p->n_ancestors = 0;
		read_ancestors(s, 1, p);
	}
	p->ppid = s->ppid;
	p->sid = s->sid;
	memcpy(p->comm, s->comm, sizeof(p->comm));
}

static int keep(struct procfs_kept *kept, pid_t pid)
{
	_cleanup_close_ int fd = open_stat(pid);
	struct stat_line s;
	int r;

	procfs_kept_deinit(kept);
	if (fd < 0)
		return fd;
	r = read_stat_from(fd, &s);
	if (r < 0)
		return r;
	kept->fd = TAKE_FD(fd);
	kept->process = process_of_stat(&s);
	read_ancestors(&s, 1, &kept->process);
	return 0;
}

int procfs_describe_kept(struct procfs_kept *kept, pid_t pid, struct process *ret)
{
	struct stat_line s;
	int r = 0;

	/* the descriptor is that of the process: it reads nothing of another one under its number
	 */
	if (pid > 0 && kept->process.id.pid == pid && !read_stat_from(kept->fd, &s))
		update(&s, &kept->process);
	else
		r = keep(kept, pid);
	if (r == 0)
		*ret = kept->process;
	return r;
}

void procfs_kept_deinit(struct procfs_kept *kept)
{
	if (kept->process.id.pid)
		close(kept->fd);
	*kept = (struct procfs_kept){ 0 };
}

int procfs_describe(pid_t pid, struct process *ret)
{
	struct process p;
	struct stat_line s;
	int r;

	r = read_stat(pid, &s);
	if (r < 0)
		return r;
	p = process_of_stat(&s);
	r = read_uid(pid, &p.uid);
	if (r < 0)
		return r;
	procfs_link(pid, "exe", p.exe);
	procfs_link(pid, "cwd", p.cwd);
	read_ancestors(&s, PROCESS_ANCESTORS_MAX, &p);
	r = check_identity(&p.id);
	if (r < 0)
		return r;
	*ret = p;
	return 0;
}

/* Names of Documentation/admin-guide/devices.txt; a driver that is not in it by its numbers. */
int procfs_tty(const struct process_id *id, char *ret, size_t size)
{
	struct stat_line s;
	unsigned kind, number;
	int r = read_stat_of(id, &s);

	if (r < 0)
		return r;
	kind = major(s.tty);
	number = minor(s.tty);
	if (!s.tty)
		ret[0] = '\0';
	else if (kind == UNIX98_PTY_SLAVE_MAJOR)
		snprintf(ret, size, "pts/%u", number);
	else if (kind == TTY_MAJOR && number < FIRST_SERIAL_MINOR)
		snprintf(ret, size, "tty%u", number);
	else if (kind == TTY_MAJOR)
		snprintf(ret, size, "ttyS%u", number - FIRST_SERIAL_MINOR);
	else
		snprintf(ret, size, "tty %u:%u", kind, number);
	return 0;
}

/* Of whichever process has the pid now; its length, or -ESRCH. */
static ssize_t read_cmdline(pid_t pid, char *ret, size_t size)
{
	ssize_t n = procfs_read_of(pid, "cmdline", ret, size);

	while (n > 0 && ret[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (ret[i] == '\0')
			ret[i] = ' ';
	return n;
}

int procfs_cmdline(const struct process_id *id, char *ret, size_t size)
{
	_cleanup_free_ char *line = NULL;
	ssize_t n;
	int r;

	if (size == 0)
		return -EINVAL;
	line = malloc(size);
	if (!line)
		return -ENOMEM;
	n = read_cmdline(id->pid, line, size);
	if (n < 0)
		return (int)n;
	r = check_identity(id);
	if (r < 0)
		return r;
	memcpy(ret, line, (size_t)n);
	ret[n] = '\0';
	return 0;
}

int procfs_arguments(const struct process_id *id, struct process_arguments *ret)
{
	union {
		uint64_t chunks[ABI_ARGUMENTS_MAX / ABI_ARGUMENTS_CHUNK][ABI_ARGUMENTS_CHUNK_WORDS];
		char text[ABI_ARGUMENTS_MAX + 1];
	} line = { 0 };
	uint64_t hash = 0;
	ssize_t n = procfs_read_of(id->pid, "cmdline", line.text, sizeof(line.text));
	int r = n < 0 ? (int)n : check_identity(id);

	if (r < 0)
		return r;
	for (size_t i = 0; i * ABI_ARGUMENTS_CHUNK < (size_t)n; i++)
		hash = abi_arguments_hash(hash, line.chunks[i]);
	*ret = (struct process_arguments){ .hash = hash, .bytes = (uint32_t)n };
	return 0;
}

ssize_t procfs_argv(const struct process_id *id, char *ret, size_t size)
{
	ssize_t n = procfs_read_of(id->pid, "cmdline", ret, size - 1);
	int r = check_identity(id);

	if (n < 0 || r < 0) {
		ret[0] = '\0';
		return n < 0 ? n : r;
	}
	while (n > 0 && ret[n - 1] == '\0')
		n--;
	n += n > 0; /* the NUL of the last one, which a title may lack */
	ret[n ? n - 1 : 0] = ret[n] = '\0';
	return n;
}

char procfs_state(const struct process_id *id)
{
	struct stat_line s;

	return read_stat_of(id, &s) < 0 ? 0 : s.state;
}

/* "/" says nothing, so a longer path of any hierarchy is better; v2 is taken first. */
static const char *best_cgroup(char *lines)
{
	const char *best = "";
	char *rest = lines, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		path++;
		if (strncmp(line, "0::", 3) == 0 && strcmp(path, "/") != 0)
			return path;
		if (strlen(path) > strlen(best))
			best = path;
	}
	return best;
}

int procfs_facts(const struct process_id *id, bool with_cmdline, struct procfs_facts *ret)
{
	char lines[CGROUP_BYTES];
	struct stat_line s;
	ssize_t n = with_cmdline ? read_cmdline(id->pid, ret->cmdline, sizeof(ret->cmdline)) : 0;
	bool has_cgroup = procfs_read_of(id->pid, "cgroup", lines, sizeof(lines)) >= 0;
	const char *cgroup = has_cgroup ? best_cgroup(lines) : "";
	int r = read_stat_of(id, &s); /* last: then what was read before is this process's own */

	ret->cmdline[r == 0 && n > 0 ? n : 0] = '\0';
	ret->cgroup[0] = '\0';
	if (r == 0 && strlen(cgroup) < sizeof(ret->cgroup))
		strcpy(ret->cgroup, cgroup);
	ret->state = r == 0 ? s.state : 0;
	return r;
}

enum process_stage procfs_stage(const struct process_id *id)
{
	struct stat_line s;

	if (read_stat_of(id, &s) < 0)
		return PROCESS_GONE;
	/* a main thread that ended is shown as a zombie while other threads run on */
	if (s.threads > 1)
		return PROCESS_RUNS;
	if (s.state == 'Z' || s.state == 'X')
		return PROCESS_GONE;
	return s.flags & PF_EXITING ? PROCESS_ENDING : PROCESS_RUNS;
}

bool procfs_main_thread_ends(const struct process_id *id)
{
	struct stat_line s;

	return read_stat_of(id, &s) < 0 || s.state == 'Z' || s.state == 'X' ||
	       (s.flags & PF_EXITING);
}

bool procfs_alive(const struct process_id *id)
{
	return procfs_stage(id) != PROCESS_GONE;
}

int64_t procfs_start_unix(const struct process_id *id)
{
	const uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK), ticks = id->start_ticks;
	/* both clocks, not btime of /proc/stat: that is cut to a second */
	uint64_t boot_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);

	return (int64_t)((boot_ns + ticks / ticks_per_s * NS_PER_S +
			  ticks % ticks_per_s * (NS_PER_S / ticks_per_s)) /
			 NS_PER_S);
}
