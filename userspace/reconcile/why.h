/* SPDX-License-Identifier: MIT */
/*
 * A port → the verdict of `pd why`: would this bind and listen succeed now; if not, which socket is
 * in the way, by which kernel rule, and of which of the many situations it is one.  Pure: facts in,
 * a verdict out.  The kernel's own rule is reconcile/oracle.h; this room names the situation.
 */
#ifndef RECONCILE_WHY_H
#define RECONCILE_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/event.h"
#include "base/net.h"
#include "inventory/bindtable.h"
#include "inventory/file_refs.h"
#include "inventory/inventory.h"
#include "reconcile/oracle.h"

/* The verdicts, each with everything that is said of it, are the rows of explain/verdicts.h. */
enum why_verdict {
#define VERDICT(NAME, ...) WHY_##NAME,
#include "explain/verdicts.h"
#undef VERDICT
	_WHY_VERDICT_MAX
};
_Static_assert(WHY_FREE == 0, "no verdict yet is that nobody is in the way");

/* The contract's word: "listener", "other_netns", …; static storage. */
const char *why_verdict_name(enum why_verdict v);
/* WHY_UNKNOWN where it is the name of none. */
enum why_verdict why_verdict_of_name(const char *name);

/* The bind (and listen) that is asked about, or that was refused. */
struct why_question {
	uint16_t protocol; /* IPPROTO_TCP (also for MPTCP) or IPPROTO_UDP */
	uint8_t family;
	struct net_addr addr; /* the default question is AF_INET6, all zeros: dual stack */
	bool blind; /* the owners could not be listed at all: nobody in the way proves nothing */
	bool addr_named; /* somebody asks for that very address; else `::` stands for any */
	/* nobody named the flags: SO_REUSEADDR is what nearly every server sets, and who is in the
	 * way says more than that it does not help */
	bool flags_assumed;
	uint16_t port;
	bool v6only, reuseaddr, reuseport, has_program;
	bool is_protected; /* and the asker is of no run that may have it */
	uid_t uid;
	uint32_t dev; /* 0 = any */

	/*
	 * Of a refusal that was recorded; all zero for a question about now.  Without a call, an
	 * EADDRINUSE here makes it a question about now that remembers a refusal (WHY_GONE).
	 */
	enum event_call call;
	int error;		  /* what the caller got */
	struct process_id caller; /* pid 0 = nobody: a question */
	uint64_t cookie;	  /* of the caller's own socket, which never blocks itself */
	bool no_entry;		/* the call was answered before the kernel looked at it (seccomp) */
	uint16_t hardcoded;	/* that the caller asked for, and was given `port` for; 0 = none */
	uint16_t bound_port;	/* that the caller's socket had before a refused bind(); 0 = none */
	enum event_stage stage; /* how far the bind() came */
	/* a program of a cgroup sent it elsewhere: `addr` and `port` are those, and these are what
	 * the caller asked for */
	bool rewritten;
	struct net_addr asked_addr;
	uint16_t asked_port;
};

/* The oldest holder and the process that bound the socket (of a connection: that accepted it). */
enum why_kin {
	KIN_UNKNOWN = 0, /* not known, nothing remarkable, or one and the same */
	KIN_INHERITOR,	 /* descends from it, and it is gone */
	KIN_DAEMON,   /* the same, but meant: it left with success and the inheritor leads a session
		       */
	KIN_STRANGER, /* neither descends from it nor is it: the descriptor was passed */
};

/* One owner of the port with everything that is known of it. */
struct why_owner {
	struct bind_owner bind;
	bool flags_known;	      /* from the bind walk; else only what sock_diag tells */
	const struct socket_row *row; /* holders, binder, since; NULL where the table has none */
	struct file_ref file_ref;     /* where descriptors do not explain the socket */
	enum why_kin kin;
	char holder_state; /* of the oldest holder: 'T', 't', 'D', 'Z', … as in /proc; 0 = gone */
	bool holder_frozen, holder_exiting;
	bool same_program; /* the holder runs the caller's program with the caller's arguments */
	uint32_t timer_ms; /* TIME_WAIT, orphans: what is left */
};

enum why_address_state {
	ADDRESS_UNKNOWN = 0,
	ADDRESS_LOCAL,
	ADDRESS_NONLOCAL,
	ADDRESS_TENTATIVE,
	ADDRESS_DADFAILED,
	ADDRESS_LINK_DOWN,
};

/*
 * What else may refuse a bind.  A question about now meets the address before any owner, as in the
 * kernel; everything else counts only where no owner explains the refusal.
 */
struct why_environment {
	uint16_t ephemeral_first, ephemeral_last;
	uint16_t unprivileged_port_start;
	bool caller_may_bind_low;  /* CAP_NET_BIND_SERVICE where it counts */
	bool caller_in_own_userns; /* not the one that owns the network namespace */
	bool ipv6_disabled;
	enum why_address_state address;
	bool cgroup_bind_program; /* of a refusal whose stage nobody saw: by exclusion */
	bool caller_has_seccomp, caller_has_landlock;
};

/* What the caller asked for, also where a program of a cgroup made something else of it. */
static inline uint16_t why_asked_port(const struct why_question *q)
{
	return q->rewritten ? q->asked_port : q->port;
}

static inline const struct net_addr *why_asked_addr(const struct why_question *q)
{
	return q->rewritten ? &q->asked_addr : &q->addr;
}

#define WHY_BLOCKING_MAX 16 /* sockets that are shown; nobody reads a longer list */

struct why_answer {
	enum why_verdict verdict;
	bool free; /* the kernel would let this bind (and listen) succeed */
	int error; /* errno that the caller gets or got; 0 when free (but for WHY_GONE) or unknown
		    */
	/* at most WHY_BLOCKING_MAX; of WHY_UNKNOWN: those that may be in the way */
	size_t n_blocking;
	const struct why_owner *blocking[WHY_BLOCKING_MAX]; /* strongest first; borrowed */
	enum bind_rule free_rule; /* why the bind would succeed, as far as owners decide that */
};

/*
 * `table`: the bucket and order for the oracle, its owners in the order of `owners` (the first
 * table->n_owners of them); NULL where the kernel could not be walked: then a question that sets a
 * flag, or an owner whose flags decide, gives WHY_UNKNOWN.  So does a table that is not stable and
 * has nobody in the way.  Of a recorded refusal the owners are those of that moment.
 * `elsewhere`: rows of the same port in other namespaces (may be empty).
 */
void why_explain(const struct why_question *question, const struct bind_table *table,
		 const struct why_owner *owners, size_t n_owners,
		 const struct socket_row *const *elsewhere, size_t n_elsewhere,
		 const struct why_environment *environment, struct why_answer *ret);

#endif
