/* SPDX-License-Identifier: MIT */
/* Which of the many situations is it?  Each step knows some; the first that knows it names it. */
#include "reconcile/why_parts.h"

#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"

/* --- facts ---------------------------------------------------------------------------------- */

static size_t n_holders(const struct why_owner *o)
{
	return o->row ? o->row->n_holders : 0;
}

static bool binder_is_known(const struct why_owner *o)
{
	return o->row && o->row->binder.pid;
}

/* The process that bound it has ended, and others hold it. */
static bool outlives_binder(const struct why_owner *o)
{
	return binder_is_known(o) && o->row->binder_fate != BINDER_ALIVE && n_holders(o) > 0 &&
	       !socket_holder(o->row, &o->row->binder);
}

static bool is_udp(const struct why_case *c)
{
	return c->question->protocol == IPPROTO_UDP;
}

/* Somebody waits in close(), shutdown() is not meant: what is left of a connection. */
static bool is_closing(enum socket_state s)
{
	return s == SOCKET_FIN_WAIT1 || s == SOCKET_FIN_WAIT2 || s == SOCKET_LAST_ACK ||
	       s == SOCKET_CLOSING;
}

/* Its file has no lasting reference any more, but is not gone. */
static bool file_is_dying(const struct why_owner *o)
{
	return o->flags_known && o->bind.inode && !o->bind.file_refs && !o->bind.minisocket &&
	       !o->bind.kernel;
}

static bool is_ephemeral(const struct why_environment *e, uint16_t port)
{
	return e->ephemeral_last && port >= e->ephemeral_first && port <= e->ephemeral_last;
}

/* --- steps: each WHY_FREE for "not mine" ---------------------------------------------------- */

static enum why_verdict name_self(const struct why_case *c)
{
	const struct process_id *caller = &c->question->caller;
	const struct why_owner *o = c->owner;

	if (!caller->pid)
		return WHY_FREE;
	if (socket_holder(o->row, caller) || process_id_equal(&o->file_ref.process, caller))
		return WHY_SELF;
	/* who bound it, where nothing tells who has it now */
	if (!n_holders(o) && binder_is_known(o) && process_id_equal(&o->row->binder, caller))
		return WHY_SELF;
	return WHY_FREE;
}

static enum why_verdict name_kernel_socket(const struct why_case *c)
{
	const struct bind_owner *b = &c->owner->bind;

	/* MPTCP makes its subflows in the kernel, but they belong to a process */
	return b->kernel && !b->file_refs && !b->minisocket && !b->mptcp ? WHY_KERNEL_SOCKET
									 : WHY_FREE;
}

static enum why_verdict name_linger(const struct why_case *c)
{
	const struct why_owner *o = c->owner;

	return file_is_dying(o) && is_closing(o->bind.state) && o->bind.sleeper ? WHY_CLOSING_LINGER
										: WHY_FREE;
}

static bool is_private_to_threads(const struct why_owner *o)
{
	for (size_t i = 0; i < n_holders(o); i++)
		if (!o->row->holders[i].private_only)
			return false;
	return n_holders(o) > 0;
}

/* A file reference explains the socket only where no descriptor does. */
static enum why_verdict name_file_ref(const struct why_case *c)
{
	static const enum why_verdict verdicts[] = {
		[FILE_REF_NONE] = WHY_FREE,
		[FILE_REF_THREAD] = WHY_THREAD_PRIVATE_FDS,
		[FILE_REF_ZOMBIE_LEADER] = WHY_ZOMBIE_LEADER,
		[FILE_REF_IO_URING_FILE] = WHY_IO_URING_FILE,
		[FILE_REF_IO_URING_REQUEST] = WHY_IO_URING_REQUEST,
		[FILE_REF_IN_FLIGHT] = WHY_IN_FLIGHT,
		[FILE_REF_MMAP] = WHY_MMAP_PINNED,
		[FILE_REF_SYSCALL] = WHY_SYSCALL_PINNED,
	};
	const struct why_owner *o = c->owner;
	enum file_ref_kind kind = o->file_ref.kind;
	bool alone = n_holders(o) == 0;

	/* these two are descriptors as well, and a list of holders may have them */
	if (kind == FILE_REF_THREAD || kind == FILE_REF_ZOMBIE_LEADER)
		alone = alone || (n_holders(o) == 1 && socket_holder(o->row, &o->file_ref.process));
	if (alone && (size_t)kind < ARRAY_SIZE(verdicts) && kind != FILE_REF_NONE)
		return verdicts[kind];
	/* a leader that has exited has no table: then its threads' looks private, too */
	if (n_holders(o) && o->holder_state == 'Z')
		return WHY_ZOMBIE_LEADER;
	if (is_private_to_threads(o))
		return WHY_THREAD_PRIVATE_FDS;
	return alone && file_is_dying(o) && o->bind.sleeper ? WHY_SYSCALL_PINNED : WHY_FREE;
}

static enum why_verdict name_reuseport(const struct why_case *c)
{
	if (!c->owner->flags_known)
		return WHY_FREE;
	if (c->rule == BIND_RULE_REUSEPORT_HALF)
		return c->question->reuseport ? WHY_REUSEPORT_MISSING_HOLDER
					      : WHY_REUSEPORT_MISSING_VICTIM;
	if (c->rule == BIND_RULE_REUSEPORT_UID)
		return WHY_REUSEPORT_UID;
	return c->rule == BIND_RULE_REUSEPORT_PROGRAM ? WHY_REUSEPORT_PROGRAM : WHY_FREE;
}

/* Of UDP only who asked for SO_REUSEPORT is told of it. */
static enum why_verdict name_udp(const struct why_case *c)
{
	const struct why_owner *o = c->owner;
	enum why_verdict verdict;

	if (!is_udp(c))
		return WHY_FREE;
	verdict = c->question->reuseport ? name_reuseport(c) : WHY_FREE;
	if (verdict != WHY_FREE)
		return verdict;
	if (o->bind.peer_port)
		return WHY_UDP_CONNECTED;
	return o->flags_known && !o->bind.port_asked ? WHY_UDP_EPHEMERAL : WHY_UDP_BOUND;
}

/* The asker has SO_REUSEADDR and what is left of the old server has not. */
static bool reuse_is_one_sided(const struct why_case *c)
{
	return c->question->reuseaddr && c->owner->flags_known && !c->owner->bind.reuseaddr;
}

static enum why_verdict name_time_wait(const struct why_case *c)
{
	const struct bind_owner *b = &c->owner->bind;

	if (b->state != SOCKET_TIME_WAIT)
		return WHY_FREE;
	/* tcp_time_wait(): the kernel keeps FIN_WAIT2 of a closed socket as such an entry, too */
	if (b->substate == SOCKET_FIN_WAIT2)
		return WHY_ORPHAN_FIN_WAIT2;
	return reuse_is_one_sided(c) ? WHY_TIME_WAIT_REUSE_ONE_SIDED : WHY_TIME_WAIT;
}

static bool is_orphan(const struct bind_owner *b)
{
	return !b->inode && !b->file_refs && !b->kernel && is_closing(b->state);
}

static enum why_verdict name_orphan(const struct why_case *c)
{
	static const enum why_verdict verdicts[_SOCKET_STATE_MAX] = {
		[SOCKET_FIN_WAIT1] = WHY_ORPHAN_FIN_WAIT1,
		[SOCKET_FIN_WAIT2] = WHY_ORPHAN_FIN_WAIT2,
		[SOCKET_LAST_ACK] = WHY_ORPHAN_LAST_ACK,
		[SOCKET_CLOSING] = WHY_ORPHAN_CLOSING,
	};

	return is_orphan(&c->owner->bind) ? verdicts[c->owner->bind.state] : WHY_FREE;
}

/*
 * Did this end call connect()?  Since 6.18 the kernel marks ports that connect() chose, and a port
 * that was asked for is never inherited by an accepted connection (sk_clone).  Before, accepted
 * ones look the same: then a bucket that connect() made, or a peer below the ephemeral range,
 * tells.  A bucket that bind() made is joined by no port that connect() chose: there only a peer
 * with a server's port tells, of a client that called both; elsewhere, or behind a NAT, clients may
 * have any other one.
 */
static bool is_outgoing(const struct why_case *c)
{
	const struct why_owner *o = c->owner;
	const struct why_environment *e = c->environment;
	uint16_t servers = e->ephemeral_first;

	if (o->bind.connect_bound || (o->flags_known && o->bind.port_asked))
		return true;
	if (!is_ephemeral(e, c->question->port))
		return false;
	if (c->bucket && c->bucket->known && servers > IPPORT_RESERVED)
		servers = IPPORT_RESERVED;
	return (c->bucket && c->bucket->fastreuse < 0) ||
	       (o->bind.peer_port && o->bind.peer_port < servers);
}

/* A client left it behind, not a server whose SO_REUSEADDR could have helped. */
static enum why_verdict name_outgoing_time_wait(const struct why_case *c)
{
	const struct bind_owner *b = &c->owner->bind;

	return b->state == SOCKET_TIME_WAIT && b->substate != SOCKET_FIN_WAIT2 && is_outgoing(c)
		       ? WHY_OUTGOING_TIME_WAIT
		       : WHY_FREE;
}

static bool is_connection(enum socket_state s)
{
	return s >= SOCKET_SYN_SENT && s < _SOCKET_STATE_MAX && s != SOCKET_TIME_WAIT;
}

static enum why_verdict name_connection(const struct why_case *c)
{
	const struct why_owner *o = c->owner;

	if (!is_connection(o->bind.state))
		return WHY_FREE;
	if (o->bind.state == SOCKET_SYN_SENT)
		return WHY_OUTGOING_CONNECTING;
	if (is_outgoing(c))
		return WHY_OUTGOING_CONNECTION;
	if (o->bind.state == SOCKET_CLOSE_WAIT)
		return WHY_CONN_CLOSE_WAIT;
	if (o->kin == KIN_INHERITOR || o->kin == KIN_DAEMON || outlives_binder(o))
		return WHY_CHILD_OF_DEAD_PARENT;
	return reuse_is_one_sided(c) ? WHY_CONN_REUSE_ONE_SIDED : WHY_CONN_OF_CLOSED_LISTENER;
}

/* From here on the owner listens, or is bound only. */

static enum why_verdict name_listen_conflict(const struct why_case *c)
{
	return c->listening && c->owner->bind.state == SOCKET_LISTEN ? WHY_LISTEN_CONFLICT
								     : WHY_FREE;
}

/* A frozen process sleeps in D on cgroup v1; one that ends may do anything: those two first. */
static enum why_verdict name_holder_state(const struct why_case *c)
{
	const struct why_owner *o = c->owner;

	if (o->holder_frozen)
		return WHY_HOLDER_FROZEN;
	if (o->holder_exiting)
		return WHY_HOLDER_EXITING;
	if (o->holder_state == 'T')
		return WHY_HOLDER_STOPPED;
	if (o->holder_state == 't')
		return WHY_HOLDER_TRACED;
	return o->holder_state == 'D' ? WHY_HOLDER_UNINTERRUPTIBLE : WHY_FREE;
}

static enum why_verdict name_device(const struct why_case *c)
{
	return c->question->dev || c->owner->bind.dev ? WHY_DEVICE_OVERLAP : WHY_FREE;
}

/* A file without anybody who has it. */
static enum why_verdict name_nobody(const struct why_case *c)
{
	const struct why_owner *o = c->owner;
	bool has_file = o->flags_known ? o->bind.file_refs > 0 : o->bind.inode != 0;
	bool now = !why_is_recorded(c->question);

	if (n_holders(o) || o->file_ref.kind != FILE_REF_NONE || o->bind.kernel)
		return WHY_FREE;
	if (now && file_is_dying(o))
		return WHY_IO_URING_TEARDOWN;
	if (!has_file)
		return WHY_FREE;
	/* seen to end, and nobody inherited it: only the ring of the dead process is left */
	if (now && binder_is_known(o) &&
	    (o->row->binder_fate == BINDER_EXITED_WELL ||
	     o->row->binder_fate == BINDER_EXITED_BADLY))
		return WHY_IO_URING_TEARDOWN;
	/* of a refusal that was recorded the holder may have ended since */
	return now || (o->row && !binder_is_known(o)) ? WHY_HOLDER_HIDDEN : WHY_FREE;
}

static enum why_verdict name_bound(const struct why_case *c)
{
	static const struct net_addr none;
	const struct bind_owner *b = &c->owner->bind;

	if (b->state != SOCKET_BOUND)
		return WHY_FREE;
	/* tcp_disconnect() after a failed connect() forgets the peer's port, not its address */
	if (b->peer_port || memcmp(&b->peer, &none, sizeof(none)) != 0)
		return WHY_FAILED_CLIENT;
	return b->shut_down ? WHY_LISTENER_SHUT_DOWN : WHY_BOUND_NOT_LISTENING;
}

static bool is_inherited(const struct why_owner *o)
{
	if (o->kin != KIN_UNKNOWN)
		return o->kin == KIN_INHERITOR;
	/* a binder that left with success may have become a daemon: then its inheritor is the
	 * server */
	return outlives_binder(o) && o->row->binder_fate != BINDER_EXITED_WELL;
}

/* From here on the owner listens. */

static enum why_verdict name_holder(const struct why_case *c)
{
	const struct why_owner *o = c->owner;

	if (o->bind.mptcp)
		return WHY_MPTCP_LISTENER;
	if (is_inherited(o))
		return WHY_LISTENER_INHERITED;
	if (o->kin == KIN_STRANGER &&
	    !(binder_is_known(o) && socket_holder(o->row, &o->row->binder)))
		return WHY_FD_PASSED;
	if (n_holders(o) > 1)
		return WHY_LISTENER_SHARED;
	return o->same_program ? WHY_SAME_SERVICE : WHY_FREE;
}

/* Last of the flags: every second server sets SO_REUSEADDR, who holds the port says more. */
static enum why_verdict name_reuseaddr(const struct why_case *c)
{
	return !c->question->flags_assumed && c->owner->flags_known && c->rule == BIND_RULE_LISTENS
		       ? WHY_REUSEADDR_VS_LISTENER
		       : WHY_FREE;
}

static enum why_verdict name_listener(const struct why_case *c)
{
	const struct why_question *q = c->question;
	const struct bind_owner *b = &c->owner->bind;

	if (b->state != SOCKET_LISTEN)
		return WHY_UNKNOWN;
	if (why_asks_for_any(q))
		return WHY_LISTENER;
	if (q->family != b->family ||
	    net_addr_is_ipv4(q->family, &q->addr) != net_addr_is_ipv4(b->family, &b->addr))
		return WHY_DUAL_STACK;
	return memcmp(&q->addr, &b->addr, sizeof(q->addr)) ? WHY_LISTENER_WILDCARD_OVERLAP
							   : WHY_LISTENER;
}

/* Most specific first; the last one always has an answer. */
static enum why_verdict (*const steps[])(const struct why_case *c) = {
	name_self,	 name_kernel_socket,
	name_linger,	 name_file_ref,
	name_udp,	 name_outgoing_time_wait,
	name_time_wait,	 name_orphan,
	name_connection, name_listen_conflict,
	name_reuseport,	 name_holder_state,
	name_device,	 name_nobody,
	name_bound,	 name_holder,
	name_reuseaddr,	 name_listener,
};

/* What has to go first, whatever is said of it. */
static unsigned weight(const struct why_case *c)
{
	const struct bind_owner *b = &c->owner->bind;

	if (b->state == SOCKET_LISTEN)
		return 0;
	if (b->state == SOCKET_BOUND || is_udp(c))
		return 1;
	if (b->state == SOCKET_TIME_WAIT)
		return 4;
	if (!is_connection(b->state))
		return 5;
	return is_orphan(b) ? 3 : 2;
}

/* Orders owners that the same step names, by the rows of their verdicts. */
static const uint8_t ranks[] = {
#define VERDICT(NAME, name, rank, ...) [WHY_##NAME] = rank,
#include "explain/verdicts.h"
#undef VERDICT
};

enum why_verdict why_name_situation(const struct why_case *c, unsigned *ret_strength)
{
	enum why_verdict verdict = WHY_FREE;
	unsigned step = 0;

	while (step < ARRAY_SIZE(steps) && verdict == WHY_FREE)
		verdict = steps[step++](c);
	*ret_strength = weight(c) << 16 | step << 8 | ranks[verdict];
	return verdict;
}
