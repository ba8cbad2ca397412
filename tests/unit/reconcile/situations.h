/* SPDX-License-Identifier: MIT */
/*
 * What may stand in the way of a bind, and what refuses one without any owner: a table of each,
 * with the verdict, and how a row of it is asked about.
 */
#ifndef TESTS_UNIT_RECONCILE_SITUATIONS_H
#define TESTS_UNIT_RECONCILE_SITUATIONS_H

#include <errno.h>
#include <netinet/in.h>

#include "reconcile/why.h"
#include "testing.h"

#define PORT	    3000
#define HOLDERS_MAX 3

enum { CALLER = 100, HOLDER = 200, BINDER = 300, OTHER = 400 }; /* pids */

/* One owner in the way of one question. */
struct situation {
	enum why_verdict verdict;
	const char *asked, *owned;
	struct why_question question; /* but for the address */
	struct why_owner owner;	      /* but for the address and the row */
	struct socket_row row;
	pid_t holders[HOLDERS_MAX];
	bool no_row, private_only;
	struct why_environment environment;
	struct bind_bucket bucket;
};

#define LISTENS	    .owner.bind.state = SOCKET_LISTEN
#define IS_BOUND    .owner.bind.state = SOCKET_BOUND
#define FILE_OF_ONE .owner.bind.inode = 7, .owner.bind.file_refs = 1, .holders = { HOLDER }
#define NO_HOLDER   .owner.bind.inode = 7, .owner.bind.file_refs = 1
#define REFUSED(c) \
	.question.call = (c), .question.error = EADDRINUSE, .question.caller = { CALLER, 1 }
#define FILE_REF_OF(k) NO_HOLDER, .owner.file_ref = { (k), { HOLDER, 1 }, 1 }
#define ESTABLISHED                                                                         \
	.owner.bind = {                                                                     \
		.state = SOCKET_ESTABLISHED, .inode = 7, .file_refs = 1, .peer_port = 50000 \
	}
#define RANGE .environment.ephemeral_first = 32768, .environment.ephemeral_last = 60999
#define UDP   .question.protocol = IPPROTO_UDP, IS_BOUND

static const struct situation situations[] = {
	/* what a person asks who names no address */
	{ WHY_LISTENER, "::", "127.0.0.1", LISTENS, FILE_OF_ONE },
	{ WHY_LISTENER, "::", "0.0.0.0", LISTENS, FILE_OF_ONE },
	{ WHY_LISTENER, "::", "::", LISTENS, FILE_OF_ONE },
	{ WHY_LISTENER, "::", "::", LISTENS, .owner.bind.v6only = true, FILE_OF_ONE },
	{ WHY_LISTENER, "::", "::ffff:127.0.0.1", LISTENS, FILE_OF_ONE },
	/* one address against another */
	{ WHY_LISTENER, "127.0.0.1", "127.0.0.1", LISTENS, FILE_OF_ONE },
	{ WHY_FREE, "127.0.0.1", "127.0.0.2", LISTENS, FILE_OF_ONE },
	{ WHY_LISTENER_WILDCARD_OVERLAP, "127.0.0.1", "0.0.0.0", LISTENS, FILE_OF_ONE },
	{ WHY_LISTENER_WILDCARD_OVERLAP, "0.0.0.0", "127.0.0.1", LISTENS, FILE_OF_ONE },
	{ WHY_LISTENER_WILDCARD_OVERLAP, "::1", "::", LISTENS, .owner.bind.v6only = true,
	  FILE_OF_ONE },
	{ WHY_DUAL_STACK, "127.0.0.1", "::", LISTENS, FILE_OF_ONE },
	{ WHY_DUAL_STACK, "0.0.0.0", "::", LISTENS, FILE_OF_ONE },
	{ WHY_DUAL_STACK, "::ffff:127.0.0.1", "::", LISTENS, FILE_OF_ONE },
	{ WHY_DUAL_STACK, "::ffff:127.0.0.1", "127.0.0.1", LISTENS, FILE_OF_ONE },
	{ WHY_DUAL_STACK, "127.0.0.1", "::ffff:127.0.0.1", LISTENS, FILE_OF_ONE },
	{ WHY_DUAL_STACK, "::", "0.0.0.0", LISTENS, FILE_OF_ONE, .question.addr_named = true },
	{ WHY_LISTENER, "::", "::", LISTENS, FILE_OF_ONE, .question.addr_named = true },
	/* a refused bind of `::` did name its address */
	{ WHY_DUAL_STACK, "::", "0.0.0.0", LISTENS, FILE_OF_ONE, REFUSED(EVENT_CALL_BIND) },
	{ WHY_FREE, "127.0.0.1", "::", LISTENS, .owner.bind.v6only = true, FILE_OF_ONE },
	{ WHY_FREE, "::1", "0.0.0.0", LISTENS, FILE_OF_ONE },
	/* flags */
	{ WHY_REUSEADDR_VS_LISTENER, "0.0.0.0", "127.0.0.1", LISTENS, FILE_OF_ONE,
	  .question.reuseaddr = true, .owner.bind.reuseaddr = true },
	{ WHY_FREE, "0.0.0.0", "127.0.0.1", IS_BOUND, FILE_OF_ONE, .question.reuseaddr = true,
	  .owner.bind.reuseaddr = true },
	{ WHY_LISTEN_CONFLICT, "127.0.0.1", "127.0.0.1", LISTENS, FILE_OF_ONE,
	  REFUSED(EVENT_CALL_LISTEN), .question.reuseaddr = true, .owner.bind.reuseaddr = true },
	/* up to 6.7 the bucket lets it bind; then listen() looks again */
	{ WHY_LISTEN_CONFLICT, "127.0.0.1", "127.0.0.1", LISTENS, FILE_OF_ONE,
	  .question.reuseaddr = true, .owner.bind.reuseaddr = true, .bucket.fastreuse = 1 },
	{ WHY_REUSEPORT_MISSING_HOLDER, "::", "::", LISTENS, FILE_OF_ONE,
	  .question.reuseport = true },
	{ WHY_REUSEPORT_MISSING_VICTIM, "::", "::", LISTENS, FILE_OF_ONE,
	  .owner.bind.reuseport = true },
	{ WHY_REUSEPORT_UID, "::", "::", LISTENS, FILE_OF_ONE, .question.reuseport = true,
	  .owner.bind.reuseport = true, .owner.bind.uid = 1000 },
	{ WHY_REUSEPORT_PROGRAM, "::", "::", LISTENS, FILE_OF_ONE, .question.reuseport = true,
	  .question.has_program = true, .owner.bind.reuseport = true },
	{ WHY_FREE, "::", "::", LISTENS, FILE_OF_ONE, .question.reuseport = true,
	  .owner.bind.reuseport = true },
	/* who holds it */
	{ WHY_SELF, "0.0.0.0", "::", LISTENS, NO_HOLDER, .holders = { HOLDER, CALLER },
	  REFUSED(EVENT_CALL_BIND) },
	{ WHY_SELF, "0.0.0.0", "::", LISTENS, .row.binder = { CALLER, 1 },
	  REFUSED(EVENT_CALL_BIND) },
	{ WHY_SAME_SERVICE, "::", "::", LISTENS, FILE_OF_ONE, .owner.same_program = true },
	{ WHY_SAME_SERVICE, "::", "::", LISTENS, FILE_OF_ONE, .owner.same_program = true,
	  .question.reuseaddr = true, .owner.bind.reuseaddr = true },
	{ WHY_LISTENER_SHARED, "::", "::", LISTENS, NO_HOLDER, .holders = { HOLDER, OTHER } },
	{ WHY_LISTENER_INHERITED, "::", "::", LISTENS, FILE_OF_ONE, .owner.kin = KIN_INHERITOR,
	  .row.binder = { BINDER, 1 }, .row.binder_fate = BINDER_EXITED_WELL },
	{ WHY_LISTENER_INHERITED, "::", "::", LISTENS, FILE_OF_ONE, .row.binder = { BINDER, 1 },
	  .row.binder_fate = BINDER_EXITED_BADLY },
	/* a daemon's parent leaves with success */
	{ WHY_LISTENER, "::", "::", LISTENS, FILE_OF_ONE, .row.binder = { BINDER, 1 },
	  .row.binder_fate = BINDER_EXITED_WELL },
	{ WHY_LISTENER, "::", "::", LISTENS, FILE_OF_ONE, .owner.kin = KIN_DAEMON,
	  .row.binder = { BINDER, 1 }, .row.binder_fate = BINDER_EXITED_WELL },
	{ WHY_FD_PASSED, "::", "::", LISTENS, FILE_OF_ONE, .owner.kin = KIN_STRANGER,
	  .row.binder = { BINDER, 1 }, .row.binder_fate = BINDER_EXITED_BADLY },
	{ WHY_LISTENER_SHARED, "::", "::", LISTENS, NO_HOLDER, .holders = { BINDER, OTHER },
	  .owner.kin = KIN_STRANGER, .row.binder = { BINDER, 1 } },
	{ WHY_MPTCP_LISTENER, "::", "::", LISTENS, FILE_OF_ONE, .owner.bind.mptcp = true,
	  .row.protocol = NET_PROTOCOL_MPTCP },
	{ WHY_DEVICE_OVERLAP, "0.0.0.0", "0.0.0.0", LISTENS, FILE_OF_ONE, .owner.bind.dev = 2 },
	{ WHY_DEVICE_OVERLAP, "0.0.0.0", "0.0.0.0", LISTENS, FILE_OF_ONE, .question.dev = 2 },
	{ WHY_FREE, "0.0.0.0", "0.0.0.0", LISTENS, FILE_OF_ONE, .question.dev = 2,
	  .owner.bind.dev = 3 },
	/* bound only */
	{ WHY_BOUND_NOT_LISTENING, "::", "127.0.0.1", IS_BOUND, FILE_OF_ONE },
	{ WHY_LISTENER_SHUT_DOWN, "::", "127.0.0.1", IS_BOUND, FILE_OF_ONE,
	  .owner.bind.shut_down = true },
	{ WHY_FAILED_CLIENT, "::", "127.0.0.1", IS_BOUND, FILE_OF_ONE,
	  .owner.bind.peer.bytes = { 127, 0, 0, 1 } },
	{ WHY_FAILED_CLIENT, "::", "127.0.0.1", IS_BOUND, FILE_OF_ONE, .owner.bind.peer_port = 9,
	  .owner.bind.shut_down = true },
	/* no descriptor points to it, or its process cannot let go */
	{ WHY_THREAD_PRIVATE_FDS, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_THREAD) },
	{ WHY_THREAD_PRIVATE_FDS, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_THREAD),
	  .holders = { HOLDER } },
	{ WHY_THREAD_PRIVATE_FDS, "::", "::", LISTENS, FILE_OF_ONE, .private_only = true },
	{ WHY_ZOMBIE_LEADER, "::", "::", LISTENS, FILE_OF_ONE, .private_only = true,
	  .owner.holder_state = 'Z' },
	{ WHY_ZOMBIE_LEADER, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_ZOMBIE_LEADER) },
	{ WHY_ZOMBIE_LEADER, "::", "::", LISTENS, FILE_OF_ONE, .owner.holder_state = 'Z' },
	{ WHY_IO_URING_FILE, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_IO_URING_FILE) },
	{ WHY_IO_URING_REQUEST, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_IO_URING_REQUEST) },
	{ WHY_LISTENER, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_IO_URING_REQUEST),
	  .holders = { HOLDER } },
	{ WHY_IO_URING_TEARDOWN, "::", "::", LISTENS, NO_HOLDER, .row.binder = { BINDER, 1 },
	  .row.binder_fate = BINDER_EXITED_BADLY },
	{ WHY_IO_URING_TEARDOWN, "::", "::", LISTENS, .owner.bind.inode = 7 },
	{ WHY_IN_FLIGHT, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_IN_FLIGHT) },
	{ WHY_MMAP_PINNED, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_MMAP) },
	{ WHY_SYSCALL_PINNED, "::", "::", LISTENS, FILE_REF_OF(FILE_REF_SYSCALL) },
	{ WHY_SYSCALL_PINNED, "::", "::", LISTENS, .owner.bind.inode = 7,
	  .owner.bind.sleeper = HOLDER },
	{ WHY_CLOSING_LINGER, "::", "127.0.0.1",
	  .owner.bind = { .state = SOCKET_FIN_WAIT1, .inode = 7, .sleeper = HOLDER } },
	{ WHY_HOLDER_STOPPED, "::", "::", LISTENS, FILE_OF_ONE, .owner.holder_state = 'T' },
	{ WHY_HOLDER_STOPPED, "::", "::", LISTENS, FILE_OF_ONE, .owner.holder_state = 'T',
	  .question.reuseaddr = true, .owner.bind.reuseaddr = true },
	{ WHY_REUSEPORT_MISSING_HOLDER, "::", "::", LISTENS, FILE_OF_ONE, .owner.holder_state = 'T',
	  .question.reuseport = true },
	{ WHY_HOLDER_TRACED, "::", "::", LISTENS, FILE_OF_ONE, .owner.holder_state = 't' },
	{ WHY_HOLDER_FROZEN, "::", "::", LISTENS, FILE_OF_ONE, .owner.holder_state = 'D',
	  .owner.holder_frozen = true },
	{ WHY_HOLDER_UNINTERRUPTIBLE, "::", "::", IS_BOUND, FILE_OF_ONE,
	  .owner.holder_state = 'D' },
	{ WHY_HOLDER_EXITING, "::", "::", LISTENS, FILE_OF_ONE, .owner.holder_exiting = true },
	{ WHY_HOLDER_HIDDEN, "::", "::", LISTENS, NO_HOLDER },
	{ WHY_HOLDER_HIDDEN, "::", "::", LISTENS, NO_HOLDER, .no_row = true },
	/* of a refusal the socket may be gone by now: nobody hides */
	{ WHY_LISTENER, "::1", "::1", LISTENS, NO_HOLDER, .no_row = true,
	  REFUSED(EVENT_CALL_BIND) },
	/* connections */
	{ WHY_CONN_OF_CLOSED_LISTENER, "::", "127.0.0.1", ESTABLISHED, .holders = { HOLDER } },
	{ WHY_CONN_OF_CLOSED_LISTENER, "::", "127.0.0.1", ESTABLISHED, RANGE },
	{ WHY_CONN_REUSE_ONE_SIDED, "::", "127.0.0.1", ESTABLISHED, .question.reuseaddr = true },
	{ WHY_FREE, "::", "127.0.0.1", .question.reuseaddr = true,
	  .owner.bind = { .state = SOCKET_ESTABLISHED, .reuseaddr = true } },
	{ WHY_CONN_CLOSE_WAIT, "::", "127.0.0.1",
	  .owner.bind = { .state = SOCKET_CLOSE_WAIT, .inode = 7, .file_refs = 1 } },
	{ WHY_CHILD_OF_DEAD_PARENT, "::", "127.0.0.1", ESTABLISHED, .holders = { HOLDER },
	  .owner.kin = KIN_INHERITOR },
	{ WHY_CHILD_OF_DEAD_PARENT, "::", "127.0.0.1", ESTABLISHED, .holders = { HOLDER },
	  .row.binder = { BINDER, 1 }, .row.binder_fate = BINDER_EXITED_WELL },
	{ WHY_ORPHAN_FIN_WAIT1, "::", "127.0.0.1", .owner.bind.state = SOCKET_FIN_WAIT1 },
	{ WHY_ORPHAN_LAST_ACK, "::", "127.0.0.1", .owner.bind.state = SOCKET_LAST_ACK },
	{ WHY_ORPHAN_CLOSING, "::", "127.0.0.1", .owner.bind.state = SOCKET_CLOSING },
	{ WHY_ORPHAN_FIN_WAIT2, "::", "127.0.0.1", .owner.bind.state = SOCKET_FIN_WAIT2 },
	{ WHY_ORPHAN_FIN_WAIT2, "::", "127.0.0.1",
	  .owner.bind = { .state = SOCKET_TIME_WAIT,
			  .substate = SOCKET_FIN_WAIT2,
			  .minisocket = true } },
	{ WHY_TIME_WAIT, "::", "127.0.0.1",
	  .owner.bind = { .state = SOCKET_TIME_WAIT, .minisocket = true, .reuseaddr = true } },
	{ WHY_TIME_WAIT_REUSE_ONE_SIDED, "::", "127.0.0.1", .question.reuseaddr = true,
	  .owner.bind = { .state = SOCKET_TIME_WAIT, .minisocket = true } },
	{ WHY_FREE, "::", "127.0.0.1", .question.reuseaddr = true,
	  .owner.bind = { .state = SOCKET_TIME_WAIT, .minisocket = true, .reuseaddr = true } },
	{ WHY_OUTGOING_CONNECTING, "::", "127.0.0.1",
	  .owner.bind = { .state = SOCKET_SYN_SENT, .inode = 7, .file_refs = 1 } },
	{ WHY_OUTGOING_CONNECTION, "::", "127.0.0.1",
	  .owner.bind = { .state = SOCKET_CLOSE_WAIT,
			  .inode = 7,
			  .file_refs = 1,
			  .connect_bound = true } },
	{ WHY_OUTGOING_CONNECTION, "::", "127.0.0.1",
	  .owner.bind = { .state = SOCKET_ESTABLISHED,
			  .inode = 7,
			  .file_refs = 1,
			  .port_asked = true } },
	/* kernels before 6.18 do not mark them */
	{ WHY_OUTGOING_CONNECTION, "::", "127.0.0.1", .environment.ephemeral_first = 1024,
	  .environment.ephemeral_last = 60999, .bucket.fastreuse = -1, ESTABLISHED },
	{ WHY_OUTGOING_CONNECTION, "::", "127.0.0.1", .environment.ephemeral_first = 1024,
	  .environment.ephemeral_last = 60999,
	  .owner.bind = { .state = SOCKET_ESTABLISHED,
			  .inode = 7,
			  .file_refs = 1,
			  .peer_port = 443 } },
	{ WHY_OUTGOING_TIME_WAIT, "::", "127.0.0.1", .question.reuseaddr = true,
	  .environment.ephemeral_first = 1024, .environment.ephemeral_last = 60999,
	  .bucket.fastreuse = -1, .owner.bind = { .state = SOCKET_TIME_WAIT, .minisocket = true } },
	{ WHY_OUTGOING_TIME_WAIT, "::", "127.0.0.1", .environment.ephemeral_first = 1024,
	  .environment.ephemeral_last = 60999,
	  .owner.bind = { .state = SOCKET_TIME_WAIT, .minisocket = true, .peer_port = 443 } },
	/* bind() began to use the port: a client that chose it, or a server with a client that has
	 * a port which this machine would not give it */
	{ WHY_OUTGOING_TIME_WAIT, "::", "127.0.0.1", .environment.ephemeral_first = PORT,
	  .environment.ephemeral_last = 60999, .bucket.known = true,
	  .owner.bind = { .state = SOCKET_TIME_WAIT, .minisocket = true, .peer_port = 443 } },
	{ WHY_TIME_WAIT, "::", "127.0.0.1", .environment.ephemeral_first = PORT,
	  .environment.ephemeral_last = 60999, .bucket.known = true,
	  .owner.bind = { .state = SOCKET_TIME_WAIT, .minisocket = true, .peer_port = 2000 } },
	{ WHY_CONN_OF_CLOSED_LISTENER, "::", "127.0.0.1", .environment.ephemeral_first = PORT,
	  .environment.ephemeral_last = 60999, .bucket.known = true,
	  .owner.bind = { .state = SOCKET_ESTABLISHED,
			  .inode = 7,
			  .file_refs = 1,
			  .peer_port = 2000 } },
	{ WHY_ORPHAN_FIN_WAIT2, "::", "127.0.0.1", .environment.ephemeral_first = 1024,
	  .environment.ephemeral_last = 60999, .bucket.fastreuse = -1,
	  .owner.bind = { .state = SOCKET_TIME_WAIT,
			  .substate = SOCKET_FIN_WAIT2,
			  .minisocket = true } },
	/* UDP and the kernel */
	{ WHY_UDP_BOUND, "::", "127.0.0.1", UDP, FILE_OF_ONE, .owner.bind.port_asked = true },
	{ WHY_UDP_CONNECTED, "::", "127.0.0.1", UDP, FILE_OF_ONE, .owner.bind.peer_port = 53 },
	{ WHY_UDP_EPHEMERAL, "::", "127.0.0.1", UDP, FILE_OF_ONE },
	{ WHY_REUSEPORT_UID, "::", "127.0.0.1", UDP, FILE_OF_ONE, .question.reuseport = true,
	  .owner.bind.reuseport = true, .owner.bind.uid = 1000 },
	{ WHY_UDP_BOUND, "::", "127.0.0.1", UDP, FILE_OF_ONE, .owner.bind.port_asked = true,
	  .owner.bind.reuseport = true },
	{ WHY_KERNEL_SOCKET, "::", "0.0.0.0", UDP, .owner.bind.kernel = true,
	  .owner.bind.inode = 7 },
	{ WHY_KERNEL_SOCKET, "::", "0.0.0.0", LISTENS, .owner.bind.kernel = true },
	{ WHY_UNKNOWN, "::", "127.0.0.1", .owner.bind.state = SOCKET_UNKNOWN },
};

static const struct situation plain = { WHY_LISTENER, "::", "0.0.0.0", LISTENS, FILE_OF_ONE };

/* A situation with everything that it borrows. */
struct world {
	struct why_question question;
	struct why_owner owner;
	struct socket_row row;
	struct holder holders[HOLDERS_MAX];
	struct bind_owner owned;
	struct bind_table table;
};

static inline struct net_addr address(const char *text, uint8_t *ret_family)
{
	struct net_addr a;

	assert_int_equal(net_addr_parse(text, ret_family, &a), 0);
	return a;
}

static inline struct why_question question_of(const struct situation *s)
{
	struct why_question q = s->question;

	if (!q.protocol)
		q.protocol = IPPROTO_TCP;
	q.port = PORT;
	q.addr = address(s->asked, &q.family);
	return q;
}

static inline void world_init(const struct situation *s, struct world *w)
{
	*w = (struct world){ .owner = s->owner, .row = s->row };
	w->question = question_of(s);
	w->owner.flags_known = true;
	w->owner.bind.addr = address(s->owned, &w->owner.bind.family);
	for (size_t i = 0; i < HOLDERS_MAX && s->holders[i]; i++) {
		w->holders[i].id = (struct process_id){ s->holders[i], 1 };
		w->holders[i].private_only = s->private_only;
		w->row.n_holders = i + 1;
	}
	w->row.holders = w->holders;
	w->owner.row = s->no_row ? NULL : &w->row;
	w->owned = w->owner.bind;
	w->table = (struct bind_table){
		.stable = true, .bucket = s->bucket, .owners = &w->owned, .n_owners = 1
	};
}

static inline struct why_answer explain_world(const struct situation *s, struct world *w)
{
	struct why_answer a;

	why_explain(&w->question, &w->table, &w->owner, 1, NULL, 0, &s->environment, &a);
	return a;
}

struct refusal {
	enum why_verdict verdict;
	int error;
	const char *asked;
	struct why_question question;
	struct why_environment environment;
	enum why_verdict now; /* of the same question about now */
};

#define LISTENING   .question.call = EVENT_CALL_LISTEN
#define STAGE(name) .stage = EVENT_STAGE_##name
#define REWRITTEN   STAGE(PASSED), .rewritten = true, .asked_port = PORT + 1

static const struct refusal refusals[] = {
	{ WHY_EPHEMERAL_EXHAUSTED, EADDRINUSE, "0.0.0.0",
	  .environment = { .ephemeral_first = 32768, .ephemeral_last = 60999 } },
	{ WHY_EPHEMERAL_EXHAUSTED, EADDRINUSE, "0.0.0.0", LISTENING },
	{ WHY_PORT_REWRITTEN_BY_BPF, EADDRINUSE, "127.0.0.1",
	  .question = { .port = PORT, REWRITTEN } },
	{ WHY_PORT_REWRITTEN_BY_BPF, EADDRNOTAVAIL, "127.0.0.1",
	  .question = { .port = PORT, REWRITTEN } },
	{ WHY_PORT_REWRITTEN_BY_BPF, EACCES, "127.0.0.1", .question = { .port = 80, REWRITTEN },
	  .environment = { .unprivileged_port_start = 1024 }, .now = WHY_PRIVILEGED_PORT },
	{ WHY_FAKED_BY_CGROUP_BPF, EADDRINUSE, "127.0.0.1",
	  .question = { .port = PORT, STAGE(DENIED) } },
	{ WHY_FAKED_BY_CGROUP_BPF, EINVAL, "127.0.0.1",
	  .question = { .port = PORT, STAGE(DENIED) } },
	{ WHY_FAKED_BY_CGROUP_BPF, EADDRINUSE, "127.0.0.1",
	  .question = { .port = PORT, STAGE(BOUND) } },
	{ WHY_FAKED_BY_CGROUP_BPF, EADDRINUSE, "127.0.0.1", .question = { STAGE(DENIED) } },
	{ WHY_FAKED_BY_CGROUP_BPF, EADDRINUSE, "127.0.0.1", .question.port = PORT,
	  .environment = { .cgroup_bind_program = true } },
	{ WHY_FAKED_BY_CGROUP_BPF, ETXTBSY, "127.0.0.1", .question.port = PORT,
	  .environment = { .cgroup_bind_program = true } },
	{ WHY_FAKED_BY_CGROUP_BPF, EACCES, "127.0.0.1", .question.port = PORT,
	  .environment = { .cgroup_bind_program = true } },
	{ WHY_PROTECTED, EADDRINUSE, "127.0.0.1", .question = { .port = PORT, STAGE(PROTECTED) } },
	{ WHY_PROTECTED, EPERM, "127.0.0.1", .question = { .port = PORT, STAGE(PROTECTED) } },
	{ WHY_PROTECTED, EADDRINUSE, "127.0.0.1",
	  .question = { .port = PORT, STAGE(PROTECTED), .is_protected = true },
	  .now = WHY_PROTECTED },
	{ WHY_UNKNOWN, EADDRINUSE, "127.0.0.1", .question.port = PORT },
	{ WHY_UNKNOWN, EFAULT, "127.0.0.1", .question.port = PORT,
	  .environment = { .cgroup_bind_program = true } },
	{ WHY_INTERCEPTED_BY_SECCOMP, EADDRINUSE, "127.0.0.1",
	  .question = { .port = PORT, .no_entry = true } },
	{ WHY_INTERCEPTED_BY_SECCOMP, EPERM, "127.0.0.1",
	  .question = { .port = 80, .no_entry = true },
	  .environment = { .cgroup_bind_program = true } },
	{ WHY_DENIED_BY_CGROUP_BPF, EPERM, "127.0.0.1", .question.port = PORT,
	  .environment = { .cgroup_bind_program = true } },
	{ WHY_DENIED_BY_CGROUP_POST_BIND, EPERM, "127.0.0.1", .question.port = PORT,
	  .question.stage = EVENT_STAGE_BOUND },
	{ WHY_DENIED_BY_CGROUP_BPF, EPERM, "127.0.0.1",
	  .question = { .port = PORT, STAGE(DENIED) } },
	{ WHY_DENIED_BY_CGROUP_BPF, EPERM, "127.0.0.1",
	  .question = { .port = PORT, STAGE(PASSED) } },
	{ WHY_DENIED_BY_LSM, EPERM, "127.0.0.1", .question = { .port = PORT, STAGE(ENTERED) },
	  .environment = { .cgroup_bind_program = true } },
	{ WHY_DENIED_BY_LSM, EPERM, "127.0.0.1", .question.port = PORT },
	{ WHY_DENIED_BY_LANDLOCK, EACCES, "127.0.0.1", .question.port = PORT,
	  .environment = { .caller_has_landlock = true, .unprivileged_port_start = 1024 } },
	{ WHY_DENIED_BY_LSM, EACCES, "127.0.0.1",
	  .question = { .port = PORT, .protocol = IPPROTO_UDP },
	  .environment = { .caller_has_landlock = true } },
	{ WHY_DENIED_BY_LSM, EACCES, "127.0.0.1", .question.port = 80,
	  .environment = { .unprivileged_port_start = 1024, .caller_may_bind_low = true } },
	{ WHY_DENIED_BY_LANDLOCK, EACCES, "127.0.0.1", .question = { .port = 80, STAGE(ENTERED) },
	  .environment = { .unprivileged_port_start = 1024, .caller_has_landlock = true },
	  .now = WHY_PRIVILEGED_PORT },
	{ WHY_PRIVILEGED_PORT, EACCES, "127.0.0.1", .question = { .port = PORT, STAGE(PASSED) },
	  .environment = { .caller_has_landlock = true } },
	{ WHY_PRIVILEGED_PORT, EACCES, "127.0.0.1", .question.port = 80,
	  .environment = { .unprivileged_port_start = 1024, .caller_has_landlock = true },
	  .now = WHY_PRIVILEGED_PORT },
	{ WHY_PRIVILEGED_PORT_USERNS, EACCES, "127.0.0.1", .question.port = 80,
	  .environment = { .unprivileged_port_start = 1024, .caller_in_own_userns = true },
	  .now = WHY_PRIVILEGED_PORT_USERNS },
	{ WHY_NONLOCAL_ADDRESS, EADDRNOTAVAIL, "192.0.2.1", .question.port = PORT,
	  .environment = { .address = ADDRESS_NONLOCAL }, .now = WHY_NONLOCAL_ADDRESS },
	/* it has come since, or nobody could look */
	{ WHY_NONLOCAL_ADDRESS, EADDRNOTAVAIL, "2001:db8::1", .question.port = PORT,
	  .environment = { .address = ADDRESS_LOCAL } },
	{ WHY_NONLOCAL_ADDRESS, EADDRNOTAVAIL, "192.0.2.1", .question.port = PORT,
	  .environment = { .ipv6_disabled = true } },
	{ WHY_FAKED_BY_CGROUP_BPF, EADDRNOTAVAIL, "127.0.0.1", .question.port = PORT,
	  .environment = { .address = ADDRESS_LOCAL, .cgroup_bind_program = true } },
	{ WHY_V6_TENTATIVE, EADDRNOTAVAIL, "2001:db8::1", .question.port = PORT,
	  .environment = { .address = ADDRESS_TENTATIVE }, .now = WHY_V6_TENTATIVE },
	{ WHY_V6_DADFAILED, EADDRNOTAVAIL, "2001:db8::1", .question.port = PORT,
	  .environment = { .address = ADDRESS_DADFAILED }, .now = WHY_V6_DADFAILED },
	{ WHY_V6_LINK_DOWN, EADDRNOTAVAIL, "2001:db8::1", .question.port = PORT,
	  .environment = { .address = ADDRESS_LINK_DOWN }, .now = WHY_V6_LINK_DOWN },
	{ WHY_IPV6_DISABLED, EADDRNOTAVAIL, "::1", .question.port = PORT,
	  .environment = { .address = ADDRESS_NONLOCAL, .ipv6_disabled = true },
	  .now = WHY_IPV6_DISABLED },
	{ WHY_IPV6_DISABLED, EADDRNOTAVAIL, "::1", .question.port = PORT,
	  .environment = { .ipv6_disabled = true } },
	{ WHY_LINKLOCAL_NO_SCOPE, EINVAL, "fe80::1", .question.port = PORT,
	  .now = WHY_LINKLOCAL_NO_SCOPE },
	{ WHY_V6ONLY_MAPPED, EINVAL, "::ffff:127.0.0.1",
	  .question = { .port = PORT, .v6only = true }, .now = WHY_V6ONLY_MAPPED },
	{ WHY_ALREADY_BOUND, EINVAL, "127.0.0.1",
	  .question = { .port = PORT, .bound_port = 4000 } },
	{ WHY_UNKNOWN, EINVAL, "127.0.0.1", .question.port = PORT },
	{ WHY_UNKNOWN, EINVAL, "127.0.0.1", .question.port = PORT, LISTENING },
	{ WHY_BAD_SCOPE, ENODEV, "fe80::1", .question = { .port = PORT, .dev = 9999 } },
};

static inline struct why_question question_of_refusal(const struct refusal *r)
{
	struct why_question q = r->question;

	if (!q.protocol)
		q.protocol = IPPROTO_TCP;
	if (!q.call)
		q.call = EVENT_CALL_BIND;
	q.error = r->error;
	q.caller = (struct process_id){ CALLER, 1 };
	q.addr = address(r->asked, &q.family);
	return q;
}

/* The same before anybody has tried. */
static inline struct why_question question_before_refusal(const struct refusal *r)
{
	struct why_question q = question_of_refusal(r);

	q.call = EVENT_CALL_NONE;
	q.error = 0;
	q.caller = (struct process_id){ 0 };
	q.no_entry = false;
	return q;
}

/* Of a port that nobody has here; elsewhere: a socket in another namespace, or NULL. */
static inline struct why_answer explain_unowned(const struct why_question *q,
						const struct socket_row *elsewhere,
						const struct why_environment *e)
{
	const struct bind_table nobody = { .stable = true };
	struct why_answer a;

	why_explain(q, &nobody, NULL, 0, &elsewhere, !!elsewhere, e, &a);
	return a;
}

/* Without the kernel's table: what is certain all the same, and what is missing for the rest. */
struct untold {
	enum why_verdict verdict;
	const char *asked, *owned;
	enum socket_state state;
	bool reuseaddr, reuseport, v6only_known;
	const char *missing;
};

static const struct untold untold[] = {
	{ WHY_LISTENER, "::", "0.0.0.0", SOCKET_LISTEN, false, false, false, NULL },
	{ WHY_TIME_WAIT, "::", "127.0.0.1", SOCKET_TIME_WAIT, false, false, false, NULL },
	{ WHY_FREE, "127.0.0.1", "127.0.0.2", SOCKET_LISTEN, true, true, true, NULL },
	{ WHY_LISTENER, "::", "0.0.0.0", SOCKET_LISTEN, true, false, true, NULL },
	{ WHY_UNKNOWN, "::", "127.0.0.1", SOCKET_TIME_WAIT, true, false, true, "SO_REUSEADDR" },
	{ WHY_UNKNOWN, "::", "0.0.0.0", SOCKET_LISTEN, false, true, true, "SO_REUSEPORT" },
	{ WHY_UNKNOWN, "127.0.0.1", "::", SOCKET_LISTEN, false, false, false, "V6ONLY" },
	{ WHY_DUAL_STACK, "127.0.0.1", "::", SOCKET_LISTEN, false, false, true, NULL },
	{ WHY_LISTENER_WILDCARD_OVERLAP, "::1", "::", SOCKET_LISTEN, false, false, false, NULL },
};

static inline void world_init_untold(const struct untold *u, struct world *w)
{
	struct situation s = { .asked = u->asked, .owned = u->owned, .holders = { HOLDER } };

	s.question.reuseaddr = u->reuseaddr;
	s.question.reuseport = u->reuseport;
	s.row.v6only_known = u->v6only_known;
	s.owner.bind.state = u->state;
	s.owner.bind.minisocket = u->state == SOCKET_TIME_WAIT;
	world_init(&s, w);
	w->owner.flags_known = false;
}

#endif
