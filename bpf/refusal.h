/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A refused bind() or listen(), recorded while the call returns: what was asked, the flags of the
 * caller's socket, who owned the port, and the caller's command line.  A refusal leaves nothing on
 * the socket, and its cause may be gone a millisecond later.  All of it happens on the way out of a
 * call that failed; a call that went well pays for one comparison.
 */
#ifndef BPF_REFUSAL_H
#define BPF_REFUSAL_H

#include "abi.h"
#include "arguments.h"
#include "kernel_access.h"
#include "owners.h"
#include "record.h"
#include "repeat.h"
#include "state.h"

/*
 * Owners passed on the way to those that are kept.  The caller waits meanwhile, half a microsecond
 * for each in cold memory: a millisecond is the most that a refusal may cost.  A listener behind
 * more connections than this is missed; `more` says that there was something.
 */
#define REFUSAL_STEPS TURNS(2048, 32)

/* --- the call --- */

/* Copies what the program asked for: at exit, when the kernel has had the page brought in. */
static __always_inline bool copy_asked_address(struct call *call)
{
	__u32 n = call->addr_bytes;

	if (n < USER_SOCKADDR_IN_BYTES)
		return false;
	if (n > sizeof(call->addr))
		n = sizeof(call->addr);
	return bpf_probe_read_user(&call->addr, n, (void *)call->user_addr) == 0;
}

/* A thread keeps its entry from call to call: to write it anew costs a fifth of to make one. */
static __always_inline void remember_call(__u32 kind, __u64 fd, __u64 user_addr, __u64 addr_bytes)
{
	__u64 key = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&calls, &key), none = {};

	if (!call) {
		if (bpf_map_update_elem(&calls, &key, &none, BPF_ANY))
			count(&lost_map);
		call = bpf_map_lookup_elem(&calls, &key);
		if (!call)
			return;
	}
	/* the program at its end was left out (function_ends()), and what that was to say is lost
	 */
	if (call->kind == ABI_CALL_LISTEN && call->listen_cookie)
		count(&lost_ring);
	call->user_addr = user_addr;
	call->listen_cookie = 0;
	call->bound_cookie = 0;
	call->fd = fd;
	call->addr_bytes = addr_bytes;
	call->stage = kind == ABI_CALL_BIND ? ABI_STAGE_ENTERED : ABI_STAGE_UNKNOWN;
	call->rule = ABI_RULE_NONE;
	call->addr.family = 0;
	call->given.family = 0;
	call->kind = kind;
}

static __always_inline bool is_foreign_address(const struct user_sockaddr *a)
{
	return a->family != AF_UNSPEC && !family_is_ours(a->family);
}

static __always_inline struct sock *sock_of_fd(const bool typed, struct task_struct *task, __u32 fd)
{
	struct sock *sk = task_sock_of_fd(typed, task, fd);

	if (!sk || !family_is_ours(ACCESS(typed, sk, __sk_common.skc_family)))
		return NULL;
	return protocol_is_ours(ACCESS(typed, sk, sk_protocol)) ? sk : NULL;
}

/* Typed where can_cast(). */
static __always_inline struct sock *sock_of_call(struct task_struct *task, const struct call *call)
{
	if (can_cast())
		return sock_of_fd(true, task, call->fd);
	return sock_of_fd(false, task, call->fd);
}

static __always_inline bool is_refusal(long ret)
{
	return ret < 0 && !(-ret >= RESTART_FIRST && -ret <= RESTART_LAST);
}

/* --- who owned the port --- */

/*
 * Could this owner's address meet the asked one?  Not the kernel's whole rule, only what keeps the
 * right owners when there are more than fit.  An IPv6 socket has in skc_rcv_saddr 0 for ::, the
 * IPv4 address for a mapped one, and 127.0.0.6 for the rest.
 */
static __always_inline bool addresses_may_meet(const struct abi_socket *asked,
					       const struct sock *sk)
{
	__u32 owner4 = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	const __u64 *asked6 = (const __u64 *)asked->addr;
	__u32 asked4 = ((const __u32 *)asked->addr)[asked->family == AF_INET ? 0 : 3];
	struct in6_addr owner6 = {};
	__u64 *halves = (__u64 *)&owner6;

	if (!owner4 || !asked4 || owner4 == asked4)
		return true;
	if (asked->family == AF_INET || BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		return false;
	BPF_CORE_READ_INTO(&owner6, sk, __sk_common.skc_v6_rcv_saddr);
	return halves[0] == asked6[0] && halves[1] == asked6[1];
}

/*
 * A listener, or a socket that is merely bound: behind a busy server's connections in the chain,
 * and yet what people look for.  The state of UDP sockets says nothing.
 */
static __always_inline bool is_likely_culprit(const struct owners_walk *w, const struct sock *sk,
					      const struct abi_socket *asked)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	if (!w->udp && state != TCP_LISTEN && state != TCP_CLOSE)
		return false;
	return addresses_may_meet(asked, sk);
}

/* Nothing is locked: an entry may have been freed under the walk, and be another's by now. */
static __always_inline bool is_of_this_port(const struct owners_walk *w, const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_num) == w->port &&
	       BPF_CORE_READ(sk, __sk_common.skc_net.net) == w->net &&
	       family_is_ours(BPF_CORE_READ(sk, __sk_common.skc_family));
}

/* Where the verifier follows each step, all are filled in together behind the last one. */
static __always_inline void keep_owner(struct abi_owner *to, const struct sock *sk)
{
#ifdef HELPERS_OF_5_10
	to->sock = (__u64)sk;
#else
	fill_owner(to, (__u64)sk);
#endif
}

static __always_inline void fill_kept_owners(struct abi_failure *to)
{
#ifdef HELPERS_OF_5_10
	for (int i = 0; i < ABI_FAILURE_OWNERS; i++)
		if (to->owners[i].sock)
			fill_owner(&to->owners[i], to->owners[i].sock);
#endif
}

static long refusal_step(__u64 turn, struct owners_walk *w)
{
	struct abi_failure *to = w->to;
	const struct sock *sk;
	__u32 n = to->n_owners;

	if (!w->owner)
		return step_to_next_address(w);
	sk = take_owner(w);
	/* in this order: a busy server's connections are passed over after a look at the state */
	if (is_likely_culprit(w, sk, &to->socket) == w->others || !is_of_this_port(w, sk))
		return STEP_AGAIN;
	if (n >= ABI_FAILURE_OWNERS) {
		to->more = 1;
		return STEP_LAST;
	}
	keep_owner(&to->owners[n], sk);
	to->n_owners = n + 1;
	return STEP_AGAIN;
}

/* False when there is nothing to walk. */
static __always_inline bool start_walk(struct owners_walk *w)
{
	struct inet_bind_bucket *bucket;
	struct udp_table *table;
	struct udp_hslot *slot;

	if (!w->udp) {
		bucket = find_bucket(w->net, w->port);
		if (bucket)
			start_in_bucket(w, bucket);
		return bucket;
	}
	table = net_udp_table(w->net);
	if (!table)
		return false;
	w->node_offset = bpf_core_field_offset(struct sock, __sk_common.skc_node);
	slot = primary_slot(table, w->net, w->port);
	w->owner = BPF_CORE_READ(slot, head.first);
	return true;
}

/* In the socket's own namespace, which need not be the task's.  UDP-Lite has a table of its own. */
static __noinline void fill_owners(struct abi_failure *to, const struct sock *sk)
{
	struct owners_walk w = {
		.to = to,
		.net = BPF_CORE_READ(sk, __sk_common.skc_net.net),
		.port = to->socket.port,
		.udp = to->socket.protocol == IPPROTO_UDP,
	};

	if (!w.port || to->socket.protocol == IPPROTO_UDPLITE || !start_walk(&w))
		return;
	if (REPEAT(REFUSAL_STEPS, refusal_step, &w) == REFUSAL_STEPS)
		to->more = 1;
	if (to->n_owners == ABI_FAILURE_OWNERS || !start_walk(&w))
		return;
	w.others = true;
	REPEAT(REFUSAL_STEPS, refusal_step, &w);
}

/* --- the record --- */

/*
 * What was asked takes the place of what the socket has.  An address of another family, or one that
 * is too short to be any, leaves the socket's family and no address.
 */
static __always_inline void fill_asked_address(struct abi_socket *to, const struct user_sockaddr *a)
{
	__u32 *words = (__u32 *)to->addr;

	to->port = 0;
	__builtin_memset(to->addr, 0, sizeof(to->addr));
	if (is_foreign_address(a))
		return;
	if (a->family)
		to->family = a->family;
	to->port = bpf_ntohs(a->port_be16);
	if (to->family == AF_INET)
		words[0] = a->addr4;
	else
		__builtin_memcpy(words, a->addr6, sizeof(a->addr6));
}

static __always_inline void fill_group(struct abi_failure *to, const struct sock *sk)
{
	const struct sock_reuseport *group = BPF_CORE_READ(sk, sk_reuseport_cb);

	if (!group)
		return;
	to->in_group = 1;
	to->group_closed = group_closed_members(group);
}

/* Before 5.18 the programs of cgroups refuse with EPERM alone, which no rule of the kernel's
 * answers behind them; of whether others have refused ours see nothing. */
#ifdef HELPERS_OF_5_10
#define REFUSED_WITH_EPERM true
#else
#define REFUSED_WITH_EPERM false
#endif

/* What was asked, what the programs of cgroups made of it, and how far it came. */
static __always_inline void fill_bind(struct abi_failure *to, const struct sock *sk,
				      const struct call *call, int error)
{
	to->bound_port = to->socket.port;
	fill_asked_address(&to->socket, &call->addr);
	to->asked_family = to->socket.family;
	to->asked_port = to->socket.port;
	__builtin_memcpy(to->asked_addr, to->socket.addr, sizeof(to->asked_addr));
	/* of another family than the socket's: the kernel goes no further with it */
	if (call->given.family == to->socket.family)
		fill_asked_address(&to->socket, &call->given);
	if (call->stage == ABI_STAGE_ENTERED && !binds_are_seen)
		return;
	to->stage = call->stage;
	if (REFUSED_WITH_EPERM && error == ABI_EPERM && call->stage == ABI_STAGE_PASSED)
		to->stage = ABI_STAGE_DENIED;
	to->rule = call->rule;
	to->program_cgroup = nearest_cgroup_with_program(
		sk, cgroup_hook(call->stage == ABI_STAGE_BOUND, to->socket.family == AF_INET6));
}

/* --- what the caller may --- */

#define CAP_NET_BIND_SERVICE 10
#define CAP_SYS_ADMIN	     21
#define PFA_NO_NEW_PRIVS     0 /* bit of atomic_flags */

static __always_inline __u32 rights_of(const struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	__u32 rights = ABI_RIGHTS_KNOWN;
	__u64 effective = 0;

	if (bpf_core_read(&effective, sizeof(effective), &cred->cap_effective))
		return 0;
	if (effective >> CAP_NET_BIND_SERVICE & 1)
		rights |= ABI_RIGHTS_BIND_LOW;
	if (effective >> CAP_SYS_ADMIN & 1)
		rights |= ABI_RIGHTS_ADMIN;
	if (BPF_CORE_READ(cred, user_ns, level))
		rights |= ABI_RIGHTS_OWN_USERNS;
	if (bpf_core_field_exists(task->seccomp.mode) && BPF_CORE_READ(task, seccomp.mode))
		rights |= ABI_RIGHTS_SECCOMP;
	if (BPF_CORE_READ(task, atomic_flags) >> PFA_NO_NEW_PRIVS & 1)
		rights |= ABI_RIGHTS_NO_NEW_PRIVS;
	return rights;
}

/* --- how often --- */

static __always_inline struct pace *find_pace(enum pace_of whose, __u32 id)
{
	__u64 key = (__u64)whose << 32 | id;
	struct pace *pace = bpf_map_lookup_elem(&paces, &key), none = {};

	if (pace)
		return pace;
	bpf_map_update_elem(&paces, &key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&paces, &key);
}

/* Two threads that get here at once may both pass: a bound that is exact would need a lock. */
static __always_inline bool keep_pace(struct pace *pace, __u64 now, __u64 each_ns, __u32 burst)
{
	__u64 due = pace->due_ns;

	if (due > now + each_ns * (burst - 1))
		return false;
	pace->due_ns = (due > now ? due : now) + each_ns;
	return true;
}

/*
 * Is this refusal recorded?  Without an entry nothing is known against it.  *left_out gets how many
 * of its process were not.  Before anything is read: being refused in a loop becomes cheap, too.
 */
static __noinline bool is_worth_a_record(__u32 *left_out)
{
	struct pace *process = find_pace(PACE_OF_PROCESS, current_pid());
	struct pace *user = find_pace(PACE_OF_USER, (__u32)bpf_get_current_uid_gid());
	__u64 now = bpf_ktime_get_ns();

	if (process && !keep_pace(process, now, PACE_PROCESS_NS, PACE_PROCESS_BURST)) {
		__sync_fetch_and_add(&process->left_out, 1);
		return false;
	}
	if (user && !keep_pace(user, now, PACE_USER_NS, PACE_USER_BURST)) {
		count(&refusals_left_out);
		return false;
	}
	if (process) {
		*left_out = process->left_out;
		process->left_out = 0;
	}
	return true;
}

static __always_inline void emit_refusal(struct task_struct *task, const struct sock *sk,
					 const struct call *call, int error, bool no_entry)
{
	struct abi_failure *f;
	__u32 left_out = 0;

	if (!is_worth_a_record(&left_out))
		return;
	describe_current();
	f = bpf_ringbuf_reserve(&ring, sizeof(*f), 0);
	if (!f) {
		count(&lost_ring);
		return;
	}
	__builtin_memset(f, 0, sizeof(*f));
	fill_head(&f->head, task, ABI_FAIL, sizeof(*f));
	f->head.run = named_run_of(MEMBER(task, tgid));
	fill_socket(false, &f->socket, sk);
	if (call->kind == ABI_CALL_BIND)
		fill_bind(f, sk, call, error);
	fill_group(f, sk);
	f->call = call->kind;
	f->error = error;
	f->no_entry = no_entry;
	f->left_out = left_out;
	f->rights = rights_of(task);
	fill_netns(&f->netns_settings, (__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net));
	if (error == ABI_EADDRINUSE) {
		fill_owners(f, sk);
		fill_kept_owners(f);
		fill_arguments(&f->arguments, task);
	}
	submit_at_once(f);
}

/*
 * Remembers the call as its registers still tell it.  Not inlined, and the call is not on the stack
 * of who works on it: the stacks of a chain of functions add up to no more than 512 bytes, which
 * Linux 6.1 counts in steps of 32.
 */
static __noinline void remember_late(__u32 kind)
{
	struct call_arguments arguments;
	struct call *call;

	if (!read_call_arguments(&arguments))
		return;
	remember_call(kind, arguments.first, arguments.second, arguments.third);
	call = current_call(kind);
	if (call)
		call->stage = ABI_STAGE_UNKNOWN;
}

/* False where the address can be read by the kernel, as it seems, and not by this. */
static __always_inline bool know_asked_address(struct call *call, int error)
{
	if (call->kind != ABI_CALL_BIND || call->addr_bytes < USER_SOCKADDR_IN_BYTES ||
	    copy_asked_address(call) || error == ABI_EFAULT)
		return true;
	count(&failed_reads);
	return false;
}

/*
 * A seccomp filter, or a tracer, runs before the entry's tracepoint; when it answers in the
 * kernel's place there is an exit without an entry.  Global, so that it is verified by itself; the
 * result means nothing.
 */
__noinline int report_refusal(__u32 kind, int error)
{
	struct task_struct *task = current_task();
	struct call *call = current_call(kind);
	bool entered = call;
	struct sock *sk;

	if (!entered && !is_ignored(current_pid())) {
		remember_late(kind);
		call = current_call(kind);
	}
	sk = call ? sock_of_call(task, call) : NULL;
	if (!sk || !know_asked_address(call, error))
		return 0;
	emit_refusal(task, sk, call, error,
		     !entered && !is_foreign_address(&call->addr) && task_is_intercepted(task));
	return 0;
}

#endif
