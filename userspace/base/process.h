/* SPDX-License-Identifier: MIT */
/*
 * What is known of a process.  A process is its pid *and* its start time: pids are reused, the pair
 * is not.  Start times are in clock ticks since boot (USER_HZ, field 22 of /proc/PID/stat), because
 * that is the finest unit in which the kernel's own record and /proc agree.
 *
 * All strings come from processes and are hostile bytes until text.h has looked at them.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_COMM_SIZE     16
#define PROCESS_PATH_SIZE     512 /* exe and cwd; longer paths keep their end behind a "…" */
#define PROCESS_ANCESTORS_MAX 8
#define PROCESS_UID_UNKNOWN   ((uid_t)-1)

struct process_id {
	pid_t pid;
	uint64_t start_ticks;
};

struct process_ancestor {
	struct process_id id;
	char comm[PROCESS_COMM_SIZE];
	pid_t sid;	  /* 0 = unknown */
	int exit_code;	  /* as waitpid() reports it; counts where ended_at is not 0 */
	int64_t ended_at; /* Unix seconds; 0 = its end was not told, or is still to come */
};

struct process {
	struct process_id id;
	uid_t uid;
	pid_t ppid;
	pid_t sid;		 /* session id; 0 = unknown */
	uint64_t cgroup_id;	 /* cgroup v2; 0 = unknown */
	uint32_t run;		 /* base/run.h; 0 = of none, or not asked for */
	bool ignores_hangup;	 /* SIGHUP, as below nohup; looked at when an ancestor ends */
	int64_t asked_to_end_at; /* Unix seconds: the first SIGTERM that it was seen to get; or 0 */
	char comm[PROCESS_COMM_SIZE];
	char exe[PROCESS_PATH_SIZE]; /* "" = unknown */
	char cwd[PROCESS_PATH_SIZE]; /* "" = unknown */
	uint8_t n_ancestors;	     /* nearest first; pid 1 is the last where it fits */
	struct process_ancestor ancestors[PROCESS_ANCESTORS_MAX];
};

#define PROCESS_SERVED_MAX 4 /* of different directories */

/* For whom a process holds a port, or was started, where that is somebody else. */
struct process_behalf {
	const char *engine; /* a container of "docker", "podman"; NULL = of none; static */
	uid_t started_by;   /* PROCESS_UID_UNKNOWN = not known */
	/* programs that it runs, and whose connections it takes */
	struct process served[PROCESS_SERVED_MAX];
	size_t n_served;
};

/* A command line, known by its hash (bpf/abi.h). */
struct process_arguments {
	uint64_t hash;
	uint32_t bytes; /* 0 = not known */
};

/* What a process may do, and what was laid upon it. */
struct process_rights {
	bool known;
	bool may_bind_low; /* CAP_NET_BIND_SERVICE in its effective set */
	bool may_admin;	   /* CAP_SYS_ADMIN likewise */
	bool own_userns;   /* not in the initial user namespace */
	bool seccomp;	   /* a filter is installed */
	bool no_new_privs;
};

/* How far a process is on its way out. */
enum process_stage {
	PROCESS_RUNS = 0,
	PROCESS_ENDING, /* its exit has begun: its descriptors may be closed already, or not yet */
	PROCESS_GONE,	/* nothing is left that it could hold; it may still be a zombie */
};

struct abi_process_event;

/*
 * From a record of the kernel side (bpf/abi.h), with ticks_per_s = sysconf(_SC_CLK_TCK).  Pure.
 * 0, or -EBADMSG for what no program of ours writes: *to is then filled in part.
 */
int process_decode(const struct abi_process_event *from, uint64_t ticks_per_s, struct process *to);

/* Members of such a record: a pid with its start, in ns since boot, and the name of a task. */
struct process_id process_id_decode(uint32_t pid, uint64_t start_ns, uint64_t ticks_per_s);
void process_comm_decode(const char *from, char to[static PROCESS_COMM_SIZE]);

static inline bool process_id_equal(const struct process_id *a, const struct process_id *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

/* A state letter of /proc/PID/stat: "running", "stopped", …; NULL for 0 and unknown letters; static
 * storage. */
const char *process_state_name(char state);

#endif
