/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The object that reports what happens to sockets and to the processes that hold them.  Each
 * program is attached to one hook; a socket is known by its cookie, a process by its thread group
 * and start time. Loaded program by program: none needs another, but those that user space names as
 * one probe.
 *
 * The pass over all holders is here and not among the answers (ask.bpf.c): it marks each socket
 * that it shows, in the map in which the other programs look for the mark.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "calls.h"
#include "head.h"
#include "holder_pass.h"
#include "kernel_access.h"
#include "orders.h"
#include "record.h"
#include "refusal.h"
#include "rules.h"
#include "runs.h"
#include "state.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* --- bind() and listen(), by the tracepoints of the system calls --- */

SEC("tp/syscalls/sys_enter_bind")
int enter_bind(struct trace_event_raw_sys_enter *ctx)
{
	call_begins(ABI_CALL_BIND, ctx->args[0], ctx->args[1], ctx->args[2]);
	return 0;
}

SEC("tp/syscalls/sys_enter_listen")
int enter_listen(struct trace_event_raw_sys_enter *ctx)
{
	call_begins(ABI_CALL_LISTEN, ctx->args[0], 0, 0);
	return 0;
}

/* For both calls: it is by far the longest to verify. */
SEC("tp/syscalls/sys_exit")
int exit_call(struct trace_event_raw_sys_exit *ctx)
{
	__u32 kind = (__u32)ctx->id == bind_number ? ABI_CALL_BIND : ABI_CALL_LISTEN;
	long ret = ctx->ret;

	/* the context is read here, and not where the compiler finds an address for it */
	barrier_var(ret);
	call_ends(kind, ret, false);
	return 0;
}

/* --- the same by the functions behind them, which costs calls of other kinds nothing --- */

SEC("fentry/__sys_bind")
int BPF_PROG(fentry_bind, int fd, void *addr, int addr_bytes)
{
	call_begins(ABI_CALL_BIND, fd, (__u64)addr, addr_bytes);
	return 0;
}

SEC("fexit/__sys_bind")
int BPF_PROG(fexit_bind, int fd, void *addr, int addr_bytes, int ret)
{
	function_ends(ABI_CALL_BIND, fd, (__u64)addr, addr_bytes, ret);
	return 0;
}

SEC("fentry/__sys_listen")
int BPF_PROG(fentry_listen, int fd, int backlog)
{
	call_begins(ABI_CALL_LISTEN, fd, 0, 0);
	return 0;
}

SEC("fexit/__sys_listen")
int BPF_PROG(fexit_listen, int fd, int backlog, int ret)
{
	function_ends(ABI_CALL_LISTEN, fd, 0, 0, ret);
	return 0;
}

/* --- LISTEN and its end --- */

static __always_inline void fill_tcp(struct abi_socket *to, struct tcp_sock *tcp)
{
	if (tcp_is_mptcp(tcp))
		to->protocol = IPPROTO_MPTCP;
	/* a port that the kernel chose is given back before the state changes, but not wiped out */
	if (!to->port)
		to->port = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);
}

static __always_inline struct tcp_sock *tcp_of(struct sock *sk)
{
	return can_cast() ? AS_TYPE(tcp_sock, sk) : bpf_skc_to_tcp_sock(sk);
}

/* Of a TCP socket; `run`: whose it was, where its process may be of none any more, or 0. */
static __always_inline void emit_state(struct sock *sk, __u64 cookie, __u16 kind, __u32 run)
{
	struct abi_socket_event *e = reserve_socket_event(current_task(), kind);
	struct tcp_sock *tcp;

	if (!e)
		return;
	if (run)
		e->head.run = run;
	fill_socket(true, &e->socket, UNTRUSTED(sock, sk));
	e->socket.cookie = cookie;
	tcp = tcp_of(sk);
	if (tcp)
		fill_tcp(&e->socket, tcp);
	submit_soon(e);
}

/*
 * A listener that goes although it is still tracked: was it shut down, or is this its close?  The
 * release hook, which tells of that, is called for an MPTCP socket and not for the subflow that we
 * track, and for no socket of the kernel's own; and one that user space tracks while it is being
 * closed has it behind itself.  It is the close when no file is left that could be listened on.
 */
static __always_inline bool is_close(struct sock *sk)
{
	struct socket *socket = UNTRUSTED(sock, sk)->sk_socket;
	struct file *file;

	if (!socket)
		return true;
	file = socket->file;
	return !file || !file_references(file);
}

/*
 * The state changes before the kernel knows whether the port can be had, and before a socket that
 * was never bound has one.  Inside a listen() that we watch the event waits for the result; a
 * listener from elsewhere (io_uring, the kernel itself) is reported at once, as it stands.
 */
static __always_inline bool waits_for_result(__u64 cookie, bool listens)
{
	struct call *call = current_call(ABI_CALL_LISTEN);

	if (!call)
		return false;
	if (listens) {
		call->listen_cookie = cookie;
		return true;
	}
	if (call->listen_cookie != cookie)
		return false;
	call->listen_cookie = 0; /* a listen() that is being refused */
	return true;
}

/*
 * A socket that was never bound and that nobody has asked for its cookie.  User space finds it in
 * the kernel's tables, where it gets one.
 */
static __always_inline int miss_listener(bool listens)
{
	if (listens && !waits_for_result(COOKIE_UNKNOWN, true))
		count(&lost_map);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock *sk, int old_state, int new_state)
{
	bool listens = new_state == TCP_LISTEN;
	struct mark *mark = NULL;
	__u64 cookie;

	/*
	 * A listener can only be closed.  LISTEN to SYN_RECV is an accepted connection: a copy of
	 * the listener that is given its own state, and up to 6.12 with the listener's cookie.
	 */
	if (!listens && (old_state != TCP_LISTEN || new_state != TCP_CLOSE))
		return 0;
	/* Who closes is no matter: the last reference may be the daemon's, of a pass. */
	if (listens && (old_state == TCP_LISTEN || is_ignored(current_pid())))
		return 0;
	/* not the MPTCP socket itself: its TCP subflow owns the port */
	if (sk->sk_protocol != IPPROTO_TCP || !family_is_ours(sk->__sk_common.skc_family))
		return 0;
	cookie = traced_cookie(sk);
	if (COOKIES_CAN_LACK && !cookie)
		return miss_listener(listens);
	if (listens) {
		track_traced(sk, cookie);
	} else {
		mark = traced_mark_of(sk);
		/* a close() that was reported when it began: CLOSE says it all */
		if (!is_tracked(mark, cookie))
			return 0;
	}
	if (waits_for_result(cookie, listens))
		return 0;
	if (listens)
		track_holder(current_task());
	emit_state(sk, cookie, listens ? ABI_LISTEN : ABI_UNLISTEN, 0);
	if (!listens && is_close(sk)) {
		__u32 run = count_released(mark);

		if (untrack_socket(mark, cookie))
			emit_state(sk, cookie, ABI_CLOSE, run);
	}
	return 0;
}

/* --- what the programs of cgroups make of a bind() --- */

/*
 * A bind() runs through those of the socket's cgroup, then through those of each parent; all of
 * them, also when one has refused.  Ours are on the root: they see what the others have made of the
 * address, and whether they refused, and change nothing but by a rule.  (1 is "go on"; its second
 * bit would spare the caller the check of CAP_NET_BIND_SERVICE, which a hard-coded port below 1024
 * does not need: the check is made of the port that it is given.)  Of the root's own programs,
 * those that were attached later run later.
 */
static __always_inline void note_stage(struct call *call)
{
	bool denied = may_see_answers && bpf_get_retval() < 0;

	call->stage = denied ? ABI_STAGE_DENIED : ABI_STAGE_PASSED;
}

SEC("cgroup/bind4")
int pd_bind4(struct bpf_sock_addr *ctx)
{
	struct call *call = current_call(ABI_CALL_BIND);
	int answer;

	if (call)
		note_stage(call);
	answer = rules_in_force ? bind_by_rules(ctx, call) : 1;
	if (!call)
		return answer;
	call->given.family = AF_INET;
	call->given.port_be16 = ctx->user_port;
	call->given.addr4 = ctx->user_ip4;
	return answer;
}

SEC("cgroup/bind6")
int pd_bind6(struct bpf_sock_addr *ctx)
{
	struct call *call = current_call(ABI_CALL_BIND);
	int answer;

	if (call)
		note_stage(call);
	answer = rules_in_force ? bind_by_rules(ctx, call) : 1;
	if (!call)
		return answer;
	call->given.family = AF_INET6;
	call->given.port_be16 = ctx->user_port;
	call->given.addr6[0] = ctx->user_ip6[0];
	call->given.addr6[1] = ctx->user_ip6[1];
	call->given.addr6[2] = ctx->user_ip6[2];
	call->given.addr6[3] = ctx->user_ip6[3];
	return answer;
}

/* --- who reaches a sibling by its hard-coded port --- */

SEC("cgroup/connect4")
int pd_connect4(struct bpf_sock_addr *ctx)
{
	struct abi_order *order;

	if (!rules_in_force)
		return 1;
	order = order_of_caller();
	if (order)
		return carry_out(ctx, order);
	return loopback_has_ipv4(ctx->user_ip4) ? connect_by_rules(ctx) : 1;
}

SEC("cgroup/connect6")
int pd_connect6(struct bpf_sock_addr *ctx)
{
	if (!rules_in_force || !loopback_has_ipv6(ctx->user_ip6[0], ctx->user_ip6[1],
						  ctx->user_ip6[2], ctx->user_ip6[3]))
		return 1;
	return connect_by_rules(ctx);
}

/* These hooks cannot refuse, and see the address that accept() gives back as well. */
SEC("cgroup/getsockname4")
int pd_own_name4(struct bpf_sock_addr *ctx)
{
	name_own_port(ctx);
	return 1;
}

SEC("cgroup/getsockname6")
int pd_own_name6(struct bpf_sock_addr *ctx)
{
	name_own_port(ctx);
	return 1;
}

SEC("cgroup/getpeername4")
int pd_peer_name4(struct bpf_sock_addr *ctx)
{
	name_peer_port(ctx);
	return 1;
}

SEC("cgroup/getpeername6")
int pd_peer_name6(struct bpf_sock_addr *ctx)
{
	name_peer_port(ctx);
	return 1;
}

/* --- bound and closed sockets, also UDP --- */

static __always_inline void fill_bound_address(struct abi_socket *to, struct bpf_sock *ctx,
					       const bool v6)
{
	__u32 *words = (__u32 *)to->addr;

	__builtin_memset(to->addr, 0, sizeof(to->addr));
	to->family = v6 ? AF_INET6 : AF_INET;
	to->port = ctx->src_port; /* host order, unlike dst_port */
	if (!v6) {
		words[0] = ctx->src_ip4;
		return;
	}
	words[0] = ctx->src_ip6[0];
	words[1] = ctx->src_ip6[1];
	words[2] = ctx->src_ip6[2];
	words[3] = ctx->src_ip6[3];
}

static __always_inline void fill_bound_from_context(struct abi_socket *to, struct bpf_sock *ctx)
{
	struct sock *sk = AS_TYPE(sock, bpf_cast_to_kern_ctx(ctx));

	fill_socket(true, to, sk);
	if (to->protocol == IPPROTO_TCP && tcp_is_mptcp(AS_TYPE(tcp_sock, sk)))
		to->protocol = IPPROTO_MPTCP;
}

/*
 * Where the context tells the address only: inside a bind() that we watch the rest is read from the
 * descriptor's socket; else the task's network namespace must do, which is the socket's unless it
 * was created in another one.
 */
static __always_inline void fill_bound_from_call(struct abi_socket *to, struct bpf_sock *ctx,
						 const struct call *call, bool v6)
{
	struct task_struct *task = current_task();
	struct sock *sk = call ? sock_of_fd(false, task, call->fd) : NULL;

	if (sk) {
		fill_socket(false, to, sk);
	} else {
		to->protocol = ctx->protocol;
		to->netns = MEMBER(task, nsproxy, net_ns, ns.inum);
		to->tcp_state = TCP_CLOSE;
		to->sk_uid = bpf_get_current_uid_gid();
	}
	fill_bound_address(to, ctx, v6);
}

static __always_inline int socket_is_bound(struct bpf_sock *ctx, const bool v6)
{
	struct call *call = current_call(ABI_CALL_BIND);
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct abi_socket_event *e;

	if (is_ignored(current_pid()) || !protocol_is_ours(ctx->protocol))
		return 1;
	if (call)
		call->stage = ABI_STAGE_BOUND;
	/* another program has refused: the port is about to be put back */
	if (may_see_answers && bpf_get_retval() < 0)
		return 1;
	/* passed the bind hook before the port was protected, or was sent here behind it */
	if (rules_in_force && !may_have_bound(ctx))
		return refuse_bind(call);
	track_socket(ctx, cookie);
	if (rules_in_force && is_tcp(ctx->protocol))
		count_bound(ctx, named_run_of(current_pid()), ctx->src_port);
	track_holder(current_task());
	e = reserve_socket_event(current_task(), ABI_BIND);
	if (!e)
		return 1;
	if (can_cast())
		fill_bound_from_context(&e->socket, ctx);
	else
		fill_bound_from_call(&e->socket, ctx, call, v6);
	e->socket.cookie = cookie;
	submit_soon(e);
	if (call)
		call->bound_cookie = cookie;
	return 1;
}

SEC("cgroup/post_bind4")
int pd_post_bind4(struct bpf_sock *ctx)
{
	return socket_is_bound(ctx, false);
}

SEC("cgroup/post_bind6")
int pd_post_bind6(struct bpf_sock *ctx)
{
	return socket_is_bound(ctx, true);
}

/*
 * The context has no port here: user space joins by cookie.  Whoever runs this: the last reference
 * to somebody's socket may well be that of a pass, in the daemon.
 */
SEC("cgroup/sock_release")
int pd_release(struct bpf_sock *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct mark *mark = mark_of(ctx);
	__u32 run = count_released(mark);
	struct abi_socket_event *e;

	if (!untrack_socket(mark, cookie))
		return 1;
	e = reserve_socket_event(current_task(), ABI_CLOSE);
	if (!e)
		return 1;
	if (run)
		e->head.run = run;
	e->socket.cookie = cookie;
	e->socket.protocol = ctx->protocol;
	e->socket.family = ctx->family;
	submit_soon(e);
	return 1;
}

/* --- processes that hold sockets --- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	if (parent->tgid == child->tgid)
		return 0;
	inherit_run(parent, child);
	if (is_ignored(parent->tgid) || !is_holder(parent->tgid))
		return 0;
	parent = UNTRUSTED(task_struct, parent);
	child = UNTRUSTED(task_struct, child);
	track_holder(child);
	emit_task_event(parent, ABI_FORK, child, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	if (!is_holder(task->tgid))
		return 0;
	describe_current();
	emit_task_event(UNTRUSTED(task_struct, task), ABI_EXEC, NULL, 0);
	return 0;
}

#define SIGTERM 15

/*
 * Somebody asks a process to end.  Whether it does, and when, its EXIT tells, or that there is
 * none. Every signal of the machine passes here: most leave at the first comparison, and one that
 * is sent in a loop is told once a second.
 */
SEC("tp_btf/signal_generate")
int BPF_PROG(process_term, int sig, void *info, struct task_struct *trusted)
{
	struct task_struct *task = UNTRUSTED(task_struct, trusted);
	struct pace *pace;

	if (sig != SIGTERM || !is_holder(task->tgid))
		return 0;
	pace = find_pace(PACE_OF_TERM, task->tgid);
	if (!pace || keep_pace(pace, bpf_ktime_get_ns(), PACE_TERM_NS, 1))
		emit_task_event(UNTRUSTED(task_struct, task->group_leader), ABI_TERM, NULL, 0);
	return 0;
}

/* Descriptors are closed after this: UNLISTEN and CLOSE of a dying process follow its EXIT. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *trusted)
{
	struct task_struct *task = UNTRUSTED(task_struct, trusted);
	__u32 pid = task->tgid;
	bool held, launched;

	if ((!is_holder(pid) && !is_launcher(pid) && !is_member(pid)) || !task_group_is_dead(task))
		return 0;
	leave_run(task);
	/* two last threads may both see the group dead: who removes it reports it */
	held = !bpf_map_delete_elem(&holders, &pid);
	launched = !bpf_map_delete_elem(&launchers, &pid);
	if (!held && !launched)
		return 0;
	bpf_map_delete_elem(&described, &pid);
	emit_task_event(task, ABI_EXIT, NULL, task_exit_code(task));
	return 0;
}
