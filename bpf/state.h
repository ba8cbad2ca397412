/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the listening programs remember between events: maps, settings from user space, counters of
 * losses. */
#ifndef BPF_STATE_H
#define BPF_STATE_H

#include "abi.h"
#include "kernel_access.h"

/* Some 8,000 socket events, or 700 descriptions: seconds of a busy machine. */
#define RING_BYTES (1024 * 1024)

/*
 * What a flood of sockets leaves to refusals and to the ends of processes: a lost socket is found
 * again by a pass over all, they are not.  Some 250 refusals.
 */
#define RING_KEPT_BYTES (RING_BYTES / 4)

#define TRACKED_MAX   65536 /* sockets whose close is reported and that have no mark */
#define HOLDERS_MAX   65536 /* processes whose fork, exec and exit are reported */
#define LAUNCHERS_MAX 65536 /* processes whose exit alone is */
#define MEMBERS_MAX   16384 /* processes of all runs */
#define RUNS_MAX      1024
#define PROTECTED_MAX 4096 /* ports of all users */

/* Threads that bind or listen.  Least recently used: that of a thread that is gone goes. */
#define CALLS_MAX     4096
#define DESCRIBED_MAX 8192 /* a process that fell out is merely described again */

/*
 * Refusals that are recorded, for each process and for each user.  The ring is one for everybody: a
 * program that is refused in a loop, 50,000 times a second, would fill it before its reader has its
 * turn, and the refusals of others would be lost in it.  A process that tries one port after the
 * other is refused a few hundred times, and a user's whole desktop less often than that.
 */
#define PACE_PROCESS_NS	   (2 * 1000 * 1000) /* between two records, in the long run */
#define PACE_USER_NS	   (500 * 1000)
#define PACE_PROCESS_BURST 128 /* records at once */
#define PACE_USER_BURST	   256 /* with a description each they fill half of the ring */
#define PACE_TERM_NS	   (1000 * 1000 * 1000) /* SIGTERM to a holder */
#define PACES_MAX	   4096

#ifdef HELPERS_OF_5_10
#define COOKIES_CAN_LACK true
#else
#define COOKIES_CAN_LACK false
#endif
#define COOKIE_UNKNOWN (~0ULL)

/* A bind or listen on its way: what was asked, and what set_state saw meanwhile. */
struct call {
	__u64 user_addr;     /* where the program keeps its sockaddr */
	__u64 listen_cookie; /* this socket went to LISTEN inside this call; 0 = none */
	__u64 bound_cookie;  /* this socket was reported as bound inside this call; 0 = none */
	__u32 fd;
	__u32 addr_bytes;
	__u16 kind;  /* enum abi_call */
	__u16 stage; /* enum abi_stage */
	__u32 rule;  /* enum abi_rule */
	struct user_sockaddr addr;
	struct user_sockaddr
		given; /* by the cgroup's programs to the kernel; no family: not seen */
};

/* What a description stood on; when it changed, the process is described again. */
struct description {
	__u64 start_ns;
	__u64 exe;
	__u64 cwd;
	__u32 ppid;
	__u32 pad;
};

/* Who was described last on this processor: a look here costs a tenth of one among all. */
struct last_described {
	struct description what;
	__u32 pid;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct last_described);
} last_described SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

/* What is noted on a socket. */
struct mark {
	__u32 tracked; /* its close is reported; 0 = not, or not any more */
	__u32 run;     /* that it counts for as the server on a hard-coded port; 0 = none */
	__u32 place;   /* … and on which of that run's, counted from 1 */
};

/*
 * A mark on each socket whose close is reported.  In the socket's own
 * storage, which is charged to it and goes with it: the sockets of one user take no room from those
 * of another, and there is no number of them that is too many.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct mark);
} marked SEC(".maps");

/*
 * By cookie those that cannot be marked: what only user space found, in a list, and a socket that
 * has no memory left for its options (its owner can see to that).  Not preallocated: most machines
 * use a few of the entries.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TRACKED_MAX);
	__type(key, __u64); /* cookie */
	__type(value, __u8);
} tracked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HOLDERS_MAX);
	__type(key, __u32);   /* thread group */
	__type(value, __u64); /* start_ns */
} holders SEC(".maps");

/* Ancestors of holders, which user space names: who ends and leaves a server behind is told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LAUNCHERS_MAX);
	__type(key, __u32);   /* thread group */
	__type(value, __u64); /* start_ns */
} launchers SEC(".maps");

/* runs.h says what a run is. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MEMBERS_MAX);
	__type(key, __u32); /* thread group */
	__type(value, struct abi_member);
} members SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RUNS_MAX);
	__type(key, __u64); /* the run */
	__type(value, struct abi_run);
} runs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct call);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DESCRIBED_MAX);
	__type(key, __u32); /* thread group */
	__type(value, struct description);
} described SEC(".maps");

/* How fast refusals come; least recently used: who is refused in a loop stays. */
struct pace {
	__u64 due_ns; /* when the next one would come in the long run; it may come a burst earlier
		       */
	__u32 left_out;
	__u32 pad;
};

enum pace_of { PACE_OF_PROCESS, PACE_OF_USER, PACE_OF_TERM };

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PACES_MAX);
	__type(key, __u64); /* enum pace_of << 32 | thread group or uid */
	__type(value, struct pace);
} paces SEC(".maps");

/* The iterator's big record: too big for the stack, and the ring is not its way out. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_process_event);
} pass_scratch SEC(".maps");

/* The number of the system call bind(); the other one that is watched is listen(). */
const volatile __u32 bind_number;

/* False where user space has chosen to see neither the beginning nor the end of a call. */
const volatile bool calls_are_traced = true;

/*
 * False under lockdown=confidentiality, which refuses every program that can read the kernel's
 * memory at will.  What can do without then still loads: it describes no process.
 */
const volatile bool may_probe = true;

/*
 * bpf_get_retval() in programs of cgroups ("bpf: Use cgroup_{common,current}_func_proto in more
 * hooks", 6.1): what those before it in the same call have answered.
 */
const volatile bool may_see_answers = false;

/* The cgroups' bind hooks have proved that they are seen: so a call that did not reach them can
 * be distinguished from one that was not watched. */
volatile bool binds_are_seen;

/*
 * The daemon's own thread group.  What it binds and listens on is of no interest once it has proved
 * the probes, and is never tracked: so nothing that comes later has to ask whose it is.
 */
volatile __u32 ignored_pid;

/*
 * How many rules (rules.h) there are, by which user space turns them on and off, and the cookie of
 * the network namespace that they are for.
 */
volatile __u32 rules_in_force;
volatile __u64 own_netns;

/* The thread group that gives orders (orders.h).  One that waits counts as a rule in force. */
volatile __u32 orders_pid;

/* Read by user space through the mapped section: each says that the table can no longer be trusted
 * (lost_*), or that a record is less complete than it could be. */
volatile __u64 lost_ring;
volatile __u64 lost_map;
/* Members for which there was no room: their run may be told to have ended while they live. */
volatile __u64 lost_members;
volatile __u64 failed_reads;

/* Refusals of users who have more of them than is recorded; no loss, for the table needs none. */
volatile __u64 refusals_left_out;

static __always_inline void count(volatile __u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static __always_inline __u32 current_pid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline bool is_ignored(__u32 pid)
{
	return pid == ignored_pid;
}

static __always_inline struct call *current_call(__u32 kind)
{
	__u64 key = bpf_get_current_pid_tgid();
	struct call *call = calls_are_traced ? bpf_map_lookup_elem(&calls, &key) : NULL;

	return call && call->kind == kind ? call : NULL;
}

/* A bpf_sock of the context, or a struct sock that the verifier knows. */
static __always_inline void track_socket(void *sk, __u64 cookie)
{
	struct mark *mark = bpf_sk_storage_get(&marked, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	__u8 yes = 1;

	if (mark)
		mark->tracked = 1;
	else if (bpf_map_update_elem(&tracked, &cookie, &yes, BPF_ANY))
		count(&lost_map);
}

/* NULL = it has none. */
static __always_inline struct mark *mark_of(void *sk)
{
	return bpf_sk_storage_get(&marked, sk, NULL, 0);
}

/* Programs on tracepoints reach the storage of sockets from 5.11 on: before, they go by the cookie.
 */
#ifdef HELPERS_OF_5_10
#define traced_mark_of(sk) ((struct mark *)NULL)

static __always_inline void track_traced(struct sock *sk, __u64 cookie)
{
	__u8 yes = 1;

	if (bpf_map_update_elem(&tracked, &cookie, &yes, BPF_ANY))
		count(&lost_map);
}
#else
#define traced_mark_of mark_of
#define track_traced   track_socket
#endif

/* By its mark; by its cookie one that has none. */
static __always_inline bool is_tracked(const struct mark *mark, __u64 cookie)
{
	return mark ? mark->tracked : bpf_map_lookup_elem(&tracked, &cookie) != NULL;
}

/* True when it was tracked: whoever takes that back tells of the socket's end. */
static __always_inline bool untrack_socket(struct mark *mark, __u64 cookie)
{
	bool was_marked = mark && mark->tracked;

	if (was_marked)
		mark->tracked = 0;
	return !bpf_map_delete_elem(&tracked, &cookie) || was_marked;
}

/* Looks first: to write what is there already costs an allocation. */
static __always_inline void track_holder(struct task_struct *task)
{
	__u64 start_ns = MEMBER(task, group_leader, start_boottime), *known;
	__u32 pid = MEMBER(task, tgid);

	known = bpf_map_lookup_elem(&holders, &pid);
	if (known && *known == start_ns)
		return;
	if (bpf_map_update_elem(&holders, &pid, &start_ns, BPF_ANY))
		count(&lost_map);
}

static __always_inline bool is_holder(__u32 pid)
{
	return bpf_map_lookup_elem(&holders, &pid) != NULL;
}

static __always_inline __u32 named_run_of(__u32 pid)
{
	struct abi_member *member = bpf_map_lookup_elem(&members, &pid);

	return member ? member->named : 0;
}

static __always_inline bool is_launcher(__u32 pid)
{
	return bpf_map_lookup_elem(&launchers, &pid) != NULL;
}

#endif
