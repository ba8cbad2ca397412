/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The ABI between the BPF programs and user space: ring buffer events, records of the
 * iterator pass, the argument of the look-at-a-process program.  Fixed widths, explicit padding,
 * a size assert for each; both sides include this file.  Every record is zeroed before it is
 * filled.  ABI_VERSION changes whenever a layout does; the object carries it in its rodata and
 * user space refuses another one.
 */
#ifndef BPF_ABI_H
#define BPF_ABI_H

#ifndef __VMLINUX_H__
#include <stdint.h>
#define abi_u8	uint8_t
#define abi_u16 uint16_t
#define abi_u32 uint32_t
#define abi_u64 uint64_t
#define abi_s32 int32_t
#else
#define abi_u8	__u8
#define abi_u16 __u16
#define abi_u32 __u32
#define abi_u64 __u64
#define abi_s32 __s32
#endif

#define ABI_VERSION	   12
#define ABI_COMM_SIZE	   16
#define ABI_ANCESTORS_MAX  8
#define ABI_PATH_SIZE	   512 /* bytes of components, leaf first, each ended by NUL */
#define ABI_PATH_DEPTH	   24  /* components walked; deeper paths keep their end */
#define ABI_LOOK_FDS_MAX   64  /* sockets reported by one look at a process */
#define ABI_FAILURE_OWNERS 8   /* owners of the port that a refusal carries */

enum abi_kind {
	ABI_PROCESS = 1,
	ABI_BIND,
	ABI_LISTEN,
	ABI_UNLISTEN,
	ABI_CLOSE,
	ABI_FAIL,
	ABI_FORK,
	ABI_EXEC,
	ABI_EXIT,
	ABI_TERM,
	ABI_RUN_END,
	ABI_HOLDER,   /* iterator pass and look only */
	ABI_FILE_REF, /* passes over everything that holds a file only */
};

enum abi_call { ABI_CALL_BIND = 1, ABI_CALL_LISTEN };

/* Every record starts with this.  size counts the whole record. */
struct abi_head {
	abi_u16 kind;
	abi_u16 size;
	abi_u32 pid; /* thread group in the initial pid namespace */
	abi_u64 boot_ns;
	abi_u64 start_ns; /* start_boottime of the thread group leader */
	abi_u64 cgroup_id;
	abi_u32 uid; /* effective */
	abi_u32 run; /* the named run that it is a member of; 0 = none (listen.bpf.c only) */
	char comm[ABI_COMM_SIZE]; /* of the leader */
};
_Static_assert(sizeof(struct abi_head) == 56, "abi_head");

enum abi_reuse { ABI_REUSEADDR = 1 << 0, ABI_REUSEPORT = 1 << 1 };

struct abi_socket {
	abi_u64 cookie;
	abi_u64 inode;
	abi_u32 netns;
	abi_u32 dev;	/* bound interface index, 0 = any */
	abi_u32 sk_uid; /* owner of the socket */
	abi_u16 protocol;
	abi_u16 port; /* host order */
	abi_u8 family;
	abi_u8 tcp_state; /* kernel's number; for UDP as it stands in sk_state */
	abi_u8 v6only;
	abi_u8 reuse;	   /* enum abi_reuse */
	abi_u32 file_refs; /* lasting references to the struct file; 0 = not read */
	abi_u8 addr[16];   /* IPv4 in the first four bytes, network order */
};
_Static_assert(sizeof(struct abi_socket) == 56, "abi_socket");

/* ABI_BIND, ABI_LISTEN, ABI_UNLISTEN, ABI_CLOSE */
struct abi_socket_event {
	struct abi_head head;
	struct abi_socket socket;
};
_Static_assert(sizeof(struct abi_socket_event) == 112, "abi_socket_event");

/* ABI_FORK (child), ABI_EXEC, ABI_EXIT (exit_code), ABI_TERM (the process was sent SIGTERM) */
struct abi_task_event {
	struct abi_head head;
	abi_u32 child_pid;
	abi_s32 exit_code; /* as waitpid() reports it */
	abi_u64 child_start_ns;
};
_Static_assert(sizeof(struct abi_task_event) == 72, "abi_task_event");

/* Runs have numbers.  Those above belong to nobody's list: only their end is of interest. */
#define ABI_RUN_NAMED_MAX 0xffffffffu

/* A member of a run. */
struct abi_member {
	abi_u64 run;	  /* the innermost */
	abi_u64 start_ns; /* start_boottime of the thread group leader */
	abi_u32 named;	  /* the innermost that is named; 0 = none */
	abi_u32 pad;
};
_Static_assert(sizeof(struct abi_member) == 24, "abi_member");

/* A run as the kernel side keeps it. */
struct abi_run {
	abi_u64 members; /* that have not ended */
	abi_u64 outer;	 /* the run that it is a member of; 0 = none */
};
_Static_assert(sizeof(struct abi_run) == 16, "abi_run");

/* --- rules of runs (rules.h) --- */

#define ABI_HARDCODED_MAX 8 /* ports of one run */
#define ABI_SIBLINGS_MAX  4 /* runs of one project that have hard-coded the same port */

/* A port that stands in a program's source, and the one that it is given instead. */
struct abi_hardcoded {
	abi_u16 asked;
	abi_u16 port;
	abi_u32 bound; /* sockets that have it; written by the kernel side alone */
};
_Static_assert(sizeof(struct abi_hardcoded) == 8, "abi_hardcoded");

/* Of one run; written once, before it has a member. */
struct abi_run_rules {
	abi_u64 project;     /* whose runs reach each other; 0 = only itself */
	abi_u16 port;	     /* of its claim; 0 = none */
	abi_u16 n;	     /* hard-coded ports in use */
	abi_u32 transparent; /* 1 = its members are told the number that they have asked for */
	struct abi_hardcoded ports[ABI_HARDCODED_MAX];
};
_Static_assert(sizeof(struct abi_run_rules) == 16 + 8 * ABI_HARDCODED_MAX, "abi_run_rules");

struct abi_sibling_key {
	abi_u64 project;
	abi_u32 asked;
	abi_u32 pad;
};
_Static_assert(sizeof(struct abi_sibling_key) == 16, "abi_sibling_key");

/* The runs of a project that have hard-coded a port, newest first; 0 = no more. */
struct abi_siblings {
	abi_u32 runs[ABI_SIBLINGS_MAX];
};
_Static_assert(sizeof(struct abi_siblings) == 4 * ABI_SIBLINGS_MAX, "abi_siblings");

/* --- orders (orders.h) --- */

enum abi_map {
	ABI_MAP_TRACKED = 0,
	ABI_MAP_HOLDERS,
	ABI_MAP_LAUNCHERS,
	ABI_MAP_MEMBERS,
	ABI_MAP_RUNS,
	ABI_MAP_RUN_RULES,
	ABI_MAP_SIBLINGS,
	ABI_MAP_PROTECTED,
	_ABI_MAP_MAX
};

enum abi_verb { ABI_VERB_NONE = 0, ABI_VERB_LOOKUP, ABI_VERB_UPDATE, ABI_VERB_DELETE };

#define ABI_ORDER_KEY	16 /* bytes of the longest key, and of the longest value */
#define ABI_ORDER_VALUE 80

/* What bpf() would do with a map; in memory that both sides have. */
struct abi_order {
	abi_u32 verb; /* enum abi_verb; NONE = carried out */
	abi_u32 map;  /* enum abi_map */
	abi_u64 flags;
	abi_s32 result; /* out: 0, negative errno */
	abi_u32 pad;
	abi_u8 key[ABI_ORDER_KEY];
	abi_u8 value[ABI_ORDER_VALUE]; /* in, or out */
};
_Static_assert(sizeof(struct abi_order) == 24 + ABI_ORDER_KEY + ABI_ORDER_VALUE, "abi_order");
_Static_assert(sizeof(struct abi_sibling_key) <= ABI_ORDER_KEY, "the longest key");
_Static_assert(sizeof(struct abi_run_rules) <= ABI_ORDER_VALUE, "the longest value");

/* ABI_RUN_END: the last process of a run has ended; the head is its own. */
struct abi_run_event {
	struct abi_head head;
	abi_u64 run;
	abi_s32 exit_code; /* as waitpid() reports it */
	abi_u32 pad;
};
_Static_assert(sizeof(struct abi_run_event) == 72, "abi_run_event");

struct abi_ancestor {
	abi_u64 start_ns;
	abi_u32 pid;
	abi_u32 sid;
	char comm[ABI_COMM_SIZE];
};
_Static_assert(sizeof(struct abi_ancestor) == 32, "abi_ancestor");

/*
 * ABI_PROCESS: sent once for each image of a process (again when parent, directory or program
 * changed).  Paths are dentry names from the leaf to the root, "name\0name\0…"; an empty first
 * component means unknown; `*_len` counts the bytes in use; *_cut is 1 when ABI_PATH_DEPTH or
 * ABI_PATH_SIZE ended the walk before the root.
 */
struct abi_process_event {
	struct abi_head head;
	abi_u32 ppid;
	abi_u32 sid;
	abi_u16 exe_len;
	abi_u16 cwd_len;
	abi_u8 exe_cut;
	abi_u8 cwd_cut;
	abi_u8 n_ancestors;
	abi_u8 pad;
	struct abi_ancestor ancestors[ABI_ANCESTORS_MAX];
	char exe[ABI_PATH_SIZE];
	char cwd[ABI_PATH_SIZE];
};
_Static_assert(sizeof(struct abi_process_event) == 56 + 16 + 256 + 1024, "abi_process_event");

/* ABI_HOLDER: one descriptor of a process that refers to a tracked socket. */
struct abi_holder {
	struct abi_head head;
	struct abi_socket socket;
	abi_u32 fd;
	abi_u32 table; /* whose table: ABI_FILE_REF_FD and the two that follow (enum
			  abi_file_ref_kind) */
};
_Static_assert(sizeof(struct abi_holder) == 120, "abi_holder");

/*
 * Argument and answer of the look-at-a-process program (BPF_PROG_TEST_RUN of a SEC("syscall")
 * program): which tracked sockets does this process hold right now?
 */
struct abi_look {
	abi_u32 pid;	  /* in */
	abi_s32 result;	  /* out: 0, or a negative errno: -ESRCH */
	abi_u64 start_ns; /* out: start of the process that was looked at */
	abi_u32 n_fds;	  /* out: entries in use */
	abi_u32 more;	  /* out: 1 when there were more than fit */
	struct {
		abi_u64 cookie;
		abi_u64 inode;
		abi_u32 fd;
		abi_u32 file_refs;
		abi_u32 table; /* as in struct abi_holder */
		abi_u32 pad;
	} fds[ABI_LOOK_FDS_MAX];
};
_Static_assert(sizeof(struct abi_look) == 24 + 32 * ABI_LOOK_FDS_MAX, "abi_look");

/* Descriptors in one re-check: 16 kB. */
#define ABI_HOLDS_MAX 511

/* A descriptor that a process is known to have on a socket, and whether that is still so. */
struct abi_hold {
	abi_u64 cookie;	   /* in */
	abi_u32 pid;	   /* in: thread group */
	abi_u32 fd;	   /* in */
	abi_u64 start_ns;  /* out: start of the process with this pid; 0 = there is none */
	abi_u32 file_refs; /* out: as in struct abi_socket; 0 = it is another file, or closed */
	abi_u32 pad;
};
_Static_assert(sizeof(struct abi_hold) == 32, "abi_hold");

struct abi_recheck {
	abi_u32 n; /* in use */
	abi_u32 pad[7];
	struct abi_hold holds[ABI_HOLDS_MAX];
};
_Static_assert(sizeof(struct abi_recheck) == 32 + 32 * ABI_HOLDS_MAX, "abi_recheck");

/* errno values as asm-generic has them; the programs run on no architecture with others */
#define ABI_ENOENT     2
#define ABI_ESRCH      3
#define ABI_EFAULT     14
#define ABI_EOPNOTSUPP 95
#define ABI_EPERM      1
#define ABI_EADDRINUSE 98

/* Owners in one answer of the bind walk; a longer walk is asked for again from `skip`. */
#define ABI_OWNERS_MAX 512

enum abi_owner_flags {
	ABI_OWNER_MINISOCKET = 1 << 0,	 /* a time-wait entry: no file, no process */
	ABI_OWNER_NO_FILE = 1 << 1,	 /* no struct file: an orphan or the kernel's own */
	ABI_OWNER_KERNEL = 1 << 2,	 /* made by the kernel for itself */
	ABI_OWNER_ADDR_LOCK = 1 << 3,	 /* the program bound an address (SOCK_BINDADDR_LOCK) */
	ABI_OWNER_PORT_LOCK = 1 << 4,	 /* the program asked for this port (SOCK_BINDPORT_LOCK) */
	ABI_OWNER_CONNECT_BIND = 1 << 5, /* connect() chose the port (since 6.18) */
	ABI_OWNER_MPTCP = 1 << 6,
	ABI_OWNER_FORCE_REUSE = 1 << 7,
	ABI_OWNER_SHUT_DOWN = 1 << 8, /* shutdown() of both directions, or of a listener */
};

/* One owner of a port: an entry of the bind table. */
struct abi_owner {
	abi_u64 sock; /* its address: tells entries apart, means nothing else */
	abi_u64 file; /* the same of its struct file */
	abi_u64 cookie;
	abi_u64 inode;
	abi_u32 uid;
	abi_u32 dev;
	abi_u32 file_refs;
	abi_u32 flags;
	abi_u32 sleeper; /* thread group that sleeps on this very socket; 0 = nobody */
	abi_u16 protocol;
	abi_u8 family;
	abi_u8 tcp_state;
	abi_u8 v6only;
	abi_u8 reuseaddr;
	abi_u8 reuseport;
	abi_u8 tw_substate;
	abi_u16 peer_port;
	abi_u16 pad;
	abi_u8 addr[16];
	abi_u8 peer[16];
};
_Static_assert(sizeof(struct abi_owner) == 96, "abi_owner");

enum abi_nonlocal { ABI_NONLOCAL_IPV4 = 1 << 0, ABI_NONLOCAL_IPV6 = 1 << 1 };

/* A network namespace, and what is set in it that bears on binds. */
struct abi_netns {
	abi_u64 cookie;		 /* unlike its inode never given twice; 0 = the kernel has none */
	abi_u16 ephemeral_first; /* ip_local_port_range */
	abi_u16 ephemeral_last;
	abi_u16 unprivileged_start; /* ip_unprivileged_port_start; 65536 is cut to 65535 */
	abi_u8 nonlocal;	    /* enum abi_nonlocal: ip_nonlocal_bind */
	abi_u8 known;		    /* 1 = the settings could be read */
};
_Static_assert(sizeof(struct abi_netns) == 16, "abi_netns");

/*
 * A command line, known by its hash: two can be told apart, and what one says is told to nobody.
 * What counts are the bytes of /proc/PID/cmdline, as the kernel shows it where no setproctitle(3)
 * has run over its end, up to ABI_ARGUMENTS_MAX; the last chunk is filled up with zeros.
 */
struct abi_arguments {
	abi_u64 hash;
	abi_u32 bytes; /* 0 = not read */
	abi_u32 pad;
};
_Static_assert(sizeof(struct abi_arguments) == 16, "abi_arguments");

#define ABI_ARGUMENTS_MAX	  4096 /* longer ones are cut there */
#define ABI_ARGUMENTS_CHUNK_WORDS 8
#define ABI_ARGUMENTS_CHUNK	  (ABI_ARGUMENTS_CHUNK_WORDS * sizeof(abi_u64))

/* The hash, 0 at first, with one chunk more.  Each word is mixed as splitmix64 mixes its state. */
static inline abi_u64 abi_arguments_hash(abi_u64 hash,
					 const abi_u64 words[ABI_ARGUMENTS_CHUNK_WORDS])
{
	for (int i = 0; i < ABI_ARGUMENTS_CHUNK_WORDS; i++) {
		hash = (hash ^ words[i]) + 0x9e3779b97f4a7c15;
		hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
		hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
		hash ^= hash >> 31;
	}
	return hash;
}

/* How far a refused bind() came, as the programs on its socket's cgroup saw it. */
enum abi_stage {
	ABI_STAGE_UNKNOWN = 0, /* nothing was attached that could tell; or a listen() */
	ABI_STAGE_ENTERED,     /* not as far as those programs: a security module refused it */
	ABI_STAGE_DENIED,      /* one of the cgroup's bind programs refused it */
	ABI_STAGE_PASSED,      /* not by those programs, as far as could be seen */
	ABI_STAGE_BOUND,       /* it had the port already: only a post_bind program can refuse it */
	ABI_STAGE_PROTECTED,   /* a rule of our own refused it: the port is somebody's */
};

/* What a rule of our own made of a bind(). */
enum abi_rule {
	ABI_RULE_NONE = 0,
	ABI_RULE_HARDCODED, /* it asked for a hard-coded port, and was given the run's own */
};

/* What the caller might do, and what was laid upon it: bits. */
enum abi_rights {
	ABI_RIGHTS_KNOWN = 1,
	ABI_RIGHTS_BIND_LOW = 2,   /* CAP_NET_BIND_SERVICE in its effective set */
	ABI_RIGHTS_ADMIN = 4,	   /* CAP_SYS_ADMIN likewise */
	ABI_RIGHTS_OWN_USERNS = 8, /* not in the initial user namespace */
	ABI_RIGHTS_SECCOMP = 16,
	ABI_RIGHTS_NO_NEW_PRIVS = 32,
};

/*
 * ABI_FAIL: a refused bind() or listen(), written in the context of the call.  `socket` is the
 * caller's, with the address and port that the cgroup's programs made of what it asked for: the
 * same, as a rule.  An address that could not be understood leaves the socket's family, and zeros.
 * `owners` are those of the port at that instant, the likely culprits first; only where the errno
 * is EADDRINUSE, and so are the caller's `arguments`.  `left_out` counts the refusals of the same
 * process that came too fast after each other to be recorded, since its last record.
 */
struct abi_failure {
	struct abi_head head;
	struct abi_socket socket;
	abi_s32 error;	      /* positive errno */
	abi_u16 call;	      /* enum abi_call */
	abi_u16 bound_port;   /* bind(): the port that the socket had already; 0 = none */
	abi_u8 no_entry;      /* answered before the kernel looked at the call (seccomp, ptrace) */
	abi_u8 in_group;      /* the socket is in a reuseport group: it attached a program to it */
	abi_u16 group_closed; /* shut down members of that group */
	abi_u16 n_owners;     /* in use */
	abi_u16 more;	      /* 1 when there were more than fit */
	abi_u64 program_cgroup; /* bind(): the nearest cgroup with a program on the hook that it
				 * came to last; ours are on the root.  0 = not found */
	abi_u16 asked_port;
	abi_u8 asked_family;
	abi_u8 stage; /* enum abi_stage */
	abi_u32 left_out;
	abi_u32 rights; /* enum abi_rights */
	abi_u32 rule;	/* enum abi_rule */
	abi_u8 asked_addr[16];
	struct abi_netns netns_settings;
	struct abi_arguments arguments;
	struct abi_owner owners[ABI_FAILURE_OWNERS];
};
_Static_assert(sizeof(struct abi_failure) == 200 + 96 * ABI_FAILURE_OWNERS, "abi_failure");

/*
 * Argument of the bind walk and head of its answer.  Every owner of a port in the network namespace
 * of a process, in the order in which the kernel looks at them.
 */
struct abi_walk {
	abi_u32 pid;	    /* in: whose namespace; 0 = the caller's */
	abi_u16 protocol;   /* in: TCP or UDP */
	abi_u16 port;	    /* in: host order */
	abi_u32 skip;	    /* in: owners to pass over first */
	abi_u32 slot2;	    /* in: UDP: 0 = the primary chain, else this secondary slot + 1 */
	abi_s32 result;	    /* out: 0, -ESRCH, -EOPNOTSUPP */
	abi_u32 netns;	    /* out */
	abi_u32 hash_mix;   /* out: seed of the namespace's hashes */
	abi_u32 n_owners;   /* out: stored */
	abi_u32 more;	    /* out: 1 when there are more than fit */
	abi_u32 slot_count; /* out: UDP: sockets in the slot, of every port */
	abi_u32 slot2_mask; /* out: UDP: size of the secondary table - 1 */
	abi_u32 fastuid;    /* out, from here on: struct inet_bind_bucket */
	abi_u32 fast_rcv_saddr;
	abi_u8 fast_v6_rcv_saddr[16];
	abi_u16 fast_family;
	abi_u8 fast_ipv6_only;
	abi_u8 bucket; /* 1 = there is a bucket */
	signed char fastreuse;
	signed char fastreuseport;
	abi_u16 pad;
	abi_u32 pad2;
	struct abi_netns netns_settings; /* out */
};
_Static_assert(sizeof(struct abi_walk) == 96, "abi_walk");

struct abi_walk_answer {
	struct abi_walk head;
	struct abi_owner owners[ABI_OWNERS_MAX];
};
_Static_assert(sizeof(struct abi_walk_answer) == 96 + 96 * ABI_OWNERS_MAX, "abi_walk_answer");

/* Files looked for in one pass over everything that holds a file. */
#define ABI_FILE_REF_FILES_MAX 64

/* One pass each. */
enum abi_file_ref_pass {
	ABI_FILE_REFS_TASKS = 0, /* descriptors; what their sockets and rings hold in turn */
	ABI_FILE_REFS_QUEUED, /* Unix sockets of the reader's network namespace, also without one */
	ABI_FILE_REFS_MAPPED, /* memory mappings */
	ABI_FILE_REF_PASSES
};

enum abi_file_ref_kind {
	ABI_FILE_REF_FD = 1,	   /* a descriptor in the process's table */
	ABI_FILE_REF_THREAD_FD,	   /* in a table private to one of its threads */
	ABI_FILE_REF_ZOMBIE_FD,	   /* in the table of a process whose main thread has exited */
	ABI_FILE_REF_RING_FILE,	   /* registered with an io_uring */
	ABI_FILE_REF_RING_REQUEST, /* a pending request of an io_uring */
	ABI_FILE_REF_IN_FLIGHT,	   /* in a message that a Unix socket has not received */
	ABI_FILE_REF_MAPPING,
};

/* ABI_FILE_REF.  The process of one in flight has the receiving socket; ABI_FILE_REFS_QUEUED names
 * none. */
struct abi_file_ref {
	struct abi_head head;
	abi_u64 where;	/* address of the table, ring, socket or mapping: two may report the same */
	abi_u32 target; /* index of the file asked for */
	abi_u32 kind;	/* enum abi_file_ref_kind */
	abi_u32 references;
	abi_u32 fd; /* ABI_FILE_REF_*FD: the descriptor */
};
_Static_assert(sizeof(struct abi_file_ref) == 80, "abi_file_ref");

#endif
