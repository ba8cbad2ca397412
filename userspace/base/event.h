/* SPDX-License-Identifier: MIT */
/*
 * A kernel event in host terms: what sentinel/ decodes, what inventory/ applies, what history is
 * written from.  Events of one CPU are in order; of two CPUs nearly so: consumers join sockets by
 * cookie and processes by pid + start time, never by position.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bind.h"
#include "base/net.h"
#include "base/process.h"

enum event_kind {
	EVENT_PROCESS = 1, /* who `process` is; precedes the first socket event of that process, and
			    * comes again when its parent, directory or program changed */
	EVENT_BIND,	   /* bind() done: TCP (not listening yet) or UDP; port may be ephemeral */
	EVENT_LISTEN,	   /* TCP went to LISTEN */
	EVENT_UNLISTEN,	   /* TCP left LISTEN and is still bound: shut down */
	EVENT_CLOSE,	   /* the last descriptor of a tracked socket is closed */
	EVENT_FAIL,	   /* bind() or listen() was refused: `error`, with what was asked */
	EVENT_FORK,	   /* a process that holds tracked sockets forked `child` */
	EVENT_TERM,	   /* a process that holds tracked sockets was sent SIGTERM */
	EVENT_EXEC,	   /* a process that holds tracked sockets executed a program */
	EVENT_EXIT,	   /* a process that holds tracked sockets ended with `exit_code` */
	EVENT_RUN_END,	   /* the last process of `run` has ended: the actor */
	_EVENT_KIND_MAX
};

#define EVENT_OWNERS_MAX 8 /* owners that a refusal carries; nobody reads a longer list */

/* How far a refused bind() came before somebody refused it. */
enum event_stage {
	EVENT_STAGE_UNKNOWN = 0, /* nobody saw */
	EVENT_STAGE_ENTERED,	 /* a security module refused it */
	EVENT_STAGE_DENIED,	 /* a bind program of a cgroup did */
	EVENT_STAGE_PASSED,	 /* the kernel's own rules did, as far as was seen */
	EVENT_STAGE_BOUND,	 /* it had the port: a post_bind program of a cgroup did */
	EVENT_STAGE_PROTECTED,	 /* a rule of our own did: the port is protected */
	_EVENT_STAGE_MAX
};

enum event_call { EVENT_CALL_NONE = 0, EVENT_CALL_BIND, EVENT_CALL_LISTEN };

struct event {
	enum event_kind kind;
	uint64_t boot_ns;	 /* CLOCK_BOOTTIME when it happened */
	struct process_id actor; /* who did it (thread group) */
	uid_t uid;
	char comm[PROCESS_COMM_SIZE];
	uint64_t cgroup_id;

	/* socket events */
	uint64_t cookie;   /* 0 = unknown (refused calls that never got one) */
	uint64_t inode;	   /* 0 = unknown */
	uint32_t netns;	   /* inode number of the network namespace */
	uint16_t protocol; /* IPPROTO_*, or NET_PROTOCOL_MPTCP */
	uint8_t family;	   /* AF_INET, AF_INET6; 0 = unknown */
	struct net_addr addr;
	uint16_t port;
	/* EVENT_FAIL: the port that the actor asked for, where a rule of its run gave it `port`
	 * instead; 0 = the same */
	uint16_t asked_port;

	/* EVENT_FAIL */
	enum event_call call;
	int error;     /* positive errno */
	bool no_entry; /* the call was answered before the kernel looked at it (seccomp) */
	bool v6only, reuseaddr, reuseport; /* of the caller's socket, at that moment */
	bool has_program; /* it attached a reuseport program, in a way that keeps it from sharing */
	uid_t sk_uid;
	uint32_t dev;
	uint16_t bound_port; /* EVENT_CALL_BIND: the port that the socket had already; 0 = none */
	/*
	 * EVENT_CALL_BIND: what programs of cgroups made of the address before the kernel looked
	 * for it, of the same family; as a rule the same.  The owners are those of given_port.
	 */
	struct net_addr given_addr;
	uint16_t given_port;
	enum event_stage stage;
	/* the nearest cgroup of the socket with a program on the hook that it came to last, which
	 * says something only where a program has refused or rewritten; 0 = not found */
	uint64_t program_cgroup_id;
	struct bind_netns netns_settings;
	struct process_rights rights;	    /* of the actor */
	struct process_arguments arguments; /* of the actor, where the error is EADDRINUSE */
	uint32_t left_out; /* refusals of the same process that came too fast to be told of, since
			    * its last one that was */
	bool more_owners;  /* there were more than these; behind thousands of connections even a
			    * listener is not among them */
	uint8_t n_owners;  /* owners of the port at that moment, likely culprits first; for a
			    * refused listen() the caller's own socket is one of them */
	struct bind_owner owners[EVENT_OWNERS_MAX];

	struct process_id child; /* EVENT_FORK */
	/* EVENT_EXIT, EVENT_RUN_END: of the actor, as waitpid() reports it: status << 8 | signal */
	int exit_code;

	uint64_t run;	    /* EVENT_RUN_END; see base/kernel_source.h */
	uint32_t named_run; /* socket events and EVENT_FAIL: that the actor is of; 0 = none */

	/* EVENT_PROCESS: everything, with id == actor; else zeroed */
	struct process process;
};

/* A refused bind() that another's program on a cgroup had sent elsewhere before the kernel refused
 * it. */
bool event_is_rewritten(const struct event *event);

/* "BIND", "LISTEN", "CLOSE", "FAIL", "EXIT", … as `pd watch` prints them; static storage. */
const char *event_kind_name(enum event_kind kind);

#endif
