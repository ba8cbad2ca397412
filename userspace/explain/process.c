/* SPDX-License-Identifier: MIT */
#include "explain/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "inventory/inventory.h"
#include "reconcile/belongs.h"

#define FILE_BYTES	     8192 /* of status and cgroup: both stay below 4 kB */
#define PATH_BYTES	     4608 /* a cgroup's path and what stands before it */
#define CAP_NET_BIND_SERVICE 10	  /* bits of CapEff (linux/capability.h) */
#define CAP_SYS_ADMIN	     21
#define PF_EXITING	     0x4	   /* of field 9 of /proc/PID/stat (linux/sched.h) */
#define WAIT_NS		     5000000	   /* a disk that is not busy has a page by then */
#define UIDS		     4294967295ULL /* the initial user namespace maps all of them */

/* Where hierarchies are mounted: alone, beside v1's (hybrid), v1's freezer. */
static const char *const cgroup2_mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
#define FREEZER_MOUNT "/sys/fs/cgroup/freezer"

static bool read_process_text(pid_t pid, const char *name, char ret[FILE_BYTES])
{
	return procfs_read_of(pid, name, ret, FILE_BYTES) >= 0;
}

/* The number behind "\nName:"; false when there is no such line. */
static bool status_number(const char *status, const char *name, int base, uint64_t *ret)
{
	char key[40];
	const char *line;

	snprintf(key, sizeof(key), "\n%s:", name);
	line = strstr(status, key);
	if (!line)
		return false;
	*ret = strtoull(line + strlen(key), NULL, base);
	return true;
}

/* uid_map may be read by everybody, the link in ns/ may not. */
static bool in_own_userns(pid_t pid)
{
	char text[FILE_BYTES];
	uint64_t inside, outside, length;

	if (!read_process_text(pid, "uid_map", text))
		return false;
	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &outside, &length) != 3)
		return true; /* not written yet */
	return inside || outside || length != UIDS;
}

int why_process_rights(pid_t pid, struct process_rights *ret)
{
	char status[FILE_BYTES];
	uint64_t effective = 0, seccomp = 0, no_new_privs = 0;

	if (!read_process_text(pid, "status", status) ||
	    !status_number(status, "CapEff", 16, &effective))
		return -ESRCH;
	status_number(status, "Seccomp", 10, &seccomp);
	status_number(status, "NoNewPrivs", 10, &no_new_privs);
	*ret = (struct process_rights){
		.known = true,
		.may_bind_low = effective >> CAP_NET_BIND_SERVICE & 1,
		.may_admin = effective >> CAP_SYS_ADMIN & 1,
		.own_userns = in_own_userns(pid),
		.seccomp = seccomp != 0,
		.no_new_privs = no_new_privs != 0,
	};
	return 0;
}

/* --- freezers --- */

struct frozen {
	char file[PATH_BYTES]; /* to be written to thaw it; "" = not frozen */
	const char *word;      /* what is written */
};

static bool looks_frozen(const char *mount, const char *path, const char *name, const char *word)
{
	char file[PATH_BYTES], text[256];

	snprintf(file, sizeof(file), "%s%s/%s", mount, path, name);
	return procfs_read(file, text, sizeof(text)) >= 0 && strstr(text, word);
}

static void look_at_hierarchy(const char *controllers, const char *path, struct frozen *ret)
{
	if (!*controllers) { /* "0::/path": v2, where frozen parents count too */
		for (size_t i = 0; i < ARRAY_SIZE(cgroup2_mounts); i++) {
			if (!looks_frozen(cgroup2_mounts[i], path, "cgroup.events", "frozen 1"))
				continue;
			snprintf(ret->file, sizeof(ret->file), "%s%s/cgroup.freeze",
				 cgroup2_mounts[i], path);
			ret->word = "0";
		}
	} else if (strstr(controllers, "freezer") &&
		   looks_frozen(FREEZER_MOUNT, path, "freezer.state", "FR")) { /* or FREEZING */
		snprintf(ret->file, sizeof(ret->file), FREEZER_MOUNT "%s/freezer.state", path);
		ret->word = "THAWED";
	}
}

static void find_freezer(const struct process_id *id, struct frozen *ret)
{
	char text[FILE_BYTES], *rest = text, *line;

	*ret = (struct frozen){ .word = NULL };
	if (!read_process_text(id->pid, "cgroup", text) || !procfs_state(id))
		return;
	while ((line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		look_at_hierarchy(controllers + 1, path, ret);
	}
}

bool why_process_is_frozen(const struct process_id *id)
{
	struct frozen frozen;

	find_freezer(id, &frozen);
	return *frozen.file;
}

char *why_process_freezer(const struct process_id *id, const char **ret_word)
{
	struct frozen frozen;

	find_freezer(id, &frozen);
	*ret_word = frozen.word;
	return *frozen.file ? strdup(frozen.file) : NULL;
}

/* --- cgroups --- */

/* A cgroup's id is the inode number of its directory.  Cuts `path` to the one that has it. */
static bool climb_to(const char *mount, char *path, uint64_t cgroup_id, char *ret, size_t size)
{
	struct stat st;

	for (;;) {
		char *slash = strrchr(path, '/');
		int n = snprintf(ret, size, "%s%s", mount, path);

		if (n < (int)size && !stat(ret, &st) && st.st_ino == cgroup_id)
			return true;
		if (!slash)
			return false;
		*slash = '\0';
	}
}

bool why_process_find_cgroup(const struct process_id *id, uint64_t cgroup_id, char *ret,
			     size_t size)
{
	char text[FILE_BYTES], path[FILE_BYTES], *own;

	ret[0] = '\0';
	if (!cgroup_id || !read_process_text(id->pid, "cgroup", text) || !procfs_state(id))
		return false;
	own = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	if (!own)
		return false;
	own += strspn(own, "\n0:");
	own[strcspn(own, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(cgroup2_mounts); i++) {
		snprintf(path, sizeof(path), "%s", own);
		if (climb_to(cgroup2_mounts[i], path, cgroup_id, ret, size))
			return true;
	}
	ret[0] = '\0';
	return false;
}

/* --- waits --- */

/* How often it began to wait. */
static bool count_waits(const struct process_id *id, uint64_t *ret)
{
	char status[FILE_BYTES];

	return read_process_text(id->pid, "status", status) &&
	       status_number(status, "voluntary_ctxt_switches", 10, ret);
}

void why_process_wait_on(const struct process_id *const *ids, size_t n, bool *ret)
{
	static const struct timespec wait = { .tv_nsec = WAIT_NS };
	uint64_t before[WHY_BLOCKING_MAX], after;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		ret[i] = ids[i] && count_waits(ids[i], &before[i]);
		any |= ret[i];
	}
	if (any)
		nanosleep(&wait, NULL);
	for (size_t i = 0; i < n; i++)
		if (ret[i])
			ret[i] = procfs_state(ids[i]) == 'D' && count_waits(ids[i], &after) &&
				 after == before[i];
}

/* --- ends --- */

bool why_process_is_exiting(const struct process_id *id)
{
	char text[FILE_BYTES];
	uint64_t dumping = 0;
	unsigned flags = 0;
	const char *end;

	if (read_process_text(id->pid, "status", text))
		status_number(text, "CoreDumping", 10, &dumping);
	if (!read_process_text(id->pid, "stat", text) || !procfs_state(id))
		return false;
	end = strrchr(text, ')');
	if (end && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		flags = 0;
	return dumping || flags & PF_EXITING;
}

void why_process_signals(const struct process_id *id, uint64_t *ret_ignored, uint64_t *ret_caught)
{
	char status[FILE_BYTES];

	if (!read_process_text(id->pid, "status", status) || !procfs_state(id))
		return;
	status_number(status, "SigIgn", 16, ret_ignored);
	status_number(status, "SigCgt", 16, ret_caught);
}

pid_t why_process_tracer(const struct process_id *id)
{
	char status[FILE_BYTES];
	uint64_t tracer = 0;

	if (!read_process_text(id->pid, "status", status) || !procfs_state(id))
		return 0;
	status_number(status, "TracerPid", 10, &tracer);
	return (pid_t)tracer;
}

/* --- kin --- */

/* A child that outlived its parent has another one now: init, or whoever takes orphans. */
static enum why_kin kin_of_orphan(const struct inventory *inv, const struct process_id *holder)
{
	const struct process *then = inventory_process(inv, holder);
	struct process now;

	if (procfs_describe(holder->pid, &now) || !process_id_equal(&now.id, holder))
		return KIN_UNKNOWN;
	if (then ? then->ppid && then->ppid != now.ppid : now.ppid == 1 && now.sid != now.id.pid)
		return KIN_INHERITOR;
	return KIN_UNKNOWN;
}

enum why_kin why_kin_of(const struct inventory *inv, const struct socket_row *row,
			const struct process_id *holder)
{
	struct process process;

	if (!row || !row->binder.pid)
		return kin_of_orphan(inv, holder);
	if (process_id_equal(&row->binder, holder) || socket_holder(row, &row->binder) ||
	    !inventory_describe(inv, holder, &process) || !process.n_ancestors)
		return KIN_UNKNOWN;
	if (belongs_generation(&process, &row->binder) < 0)
		return KIN_STRANGER;
	if (row->binder_fate == BINDER_ALIVE)
		return KIN_UNKNOWN; /* a parent that closed its own descriptor and lives on */
	return row->binder_fate == BINDER_EXITED_WELL && process.sid == process.id.pid
		       ? KIN_DAEMON
		       : KIN_INHERITOR;
}

/* --- programs --- */

static void program_of(const struct inventory *inv, const struct process_id *id, char *ret)
{
	const struct process *known = inventory_process(inv, id);
	struct process read;

	ret[0] = '\0';
	if (known && *known->exe)
		snprintf(ret, PROCESS_PATH_SIZE, "%s", known->exe);
	else if (!procfs_describe(id->pid, &read) && process_id_equal(&read.id, id))
		snprintf(ret, PROCESS_PATH_SIZE, "%s", read.exe);
}

bool why_process_same(const struct inventory *inv, const struct process_id *holder,
		      const struct process_id *caller, const struct process_arguments *then)
{
	struct process_arguments of_holder, of_caller = *then;
	char exe_holder[PROCESS_PATH_SIZE], exe_caller[PROCESS_PATH_SIZE];

	if (!holder->pid || !caller->pid || procfs_arguments(holder, &of_holder) ||
	    (!of_caller.bytes && procfs_arguments(caller, &of_caller)))
		return false;
	if (!of_holder.bytes || of_holder.bytes != of_caller.bytes ||
	    of_holder.hash != of_caller.hash)
		return false;
	program_of(inv, holder, exe_holder);
	program_of(inv, caller, exe_caller);
	/* a program that may not be read leaves the command line to decide */
	return !*exe_holder || !*exe_caller || !strcmp(exe_holder, exe_caller);
}
