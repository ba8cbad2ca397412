/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * bind() and listen(), their beginning joined with their end: a refusal leaves nothing on the
 * socket.  How the two are seen does not matter here: by the tracepoints of the system calls, or by
 * programs on the functions behind them.
 */
#ifndef BPF_CALLS_H
#define BPF_CALLS_H

#include "abi.h"
#include "kernel_access.h"
#include "record.h"
#include "refusal.h"
#include "state.h"

static __always_inline void call_begins(__u32 kind, __u64 fd, __u64 user_addr, __u64 addr_bytes)
{
	if (!is_ignored(current_pid()))
		remember_call(kind, fd, user_addr, addr_bytes);
}

static __always_inline void fill_socket_of_call(struct abi_socket *to, struct sock *sk)
{
	if (can_cast())
		fill_socket(true, to, sk);
	else
		fill_socket(false, to, sk);
}

/* A listen() that went well: now the socket has its port, also when bind() was never called. */
static __always_inline void emit_listening(struct task_struct *task, struct call *call,
					   const bool may_set_alarm)
{
	struct sock *sk = sock_of_call(task, call);
	struct abi_socket_event *e;

	if (!sk)
		return;
	if (COOKIES_CAN_LACK && call->listen_cookie == COOKIE_UNKNOWN) {
		count(&lost_map); /* a pass gives it one */
		return;
	}
	track_holder(task);
	e = reserve_socket_event(task, ABI_LISTEN);
	if (!e)
		return;
	fill_socket_of_call(&e->socket, sk);
	e->socket.cookie = call->listen_cookie; /* of an MPTCP socket: that of its subflow */
	e->socket.tcp_state = TCP_LISTEN;
	if (may_set_alarm)
		submit_soon(e);
	else
		submit_along(e);
}

/*
 * It had the port, that was reported, and then somebody refused: nothing is bound any more.  It
 * stays tracked, for a mark cannot be taken off here; its release says once more what is known.
 */
static __always_inline void take_back_bind(struct call *call)
{
	__u64 cookie = call->bound_cookie;
	struct abi_socket_event *e;
	struct sock *sk;

	if (!cookie)
		return;
	sk = sock_of_call(current_task(), call);
	e = sk ? reserve_socket_event(current_task(), ABI_CLOSE) : NULL;
	if (!e)
		return;
	fill_socket_of_call(&e->socket, sk);
	e->socket.cookie = cookie;
	submit_along(e);
}

/* may_set_alarm: as wake.h says, where the program may use timers. */
static __always_inline void call_ends(__u32 kind, long ret, const bool may_set_alarm)
{
	struct call *call = current_call(kind);

	if (is_refusal(ret)) {
		if (kind == ABI_CALL_BIND && call)
			take_back_bind(call);
		report_refusal(kind, -ret);
		call = current_call(kind);
	} else if (call && call->listen_cookie) {
		emit_listening(current_task(), call, may_set_alarm);
	}
	if (call)
		call->kind = 0;
}

/*
 * A program on a function is left out where another task has preempted it on the same processor: so
 * an end may come without its beginning, and has to bring the arguments.
 */
static __always_inline void function_ends(__u32 kind, __u64 fd, __u64 user_addr, __u64 addr_bytes,
					  long ret)
{
	struct call *call;

	if (is_refusal(ret) && !current_call(kind)) {
		call_begins(kind, fd, user_addr, addr_bytes);
		call = current_call(kind);
		if (call)
			call->stage = ABI_STAGE_UNKNOWN;
	}
	call_ends(kind, ret, true);
}

#endif
