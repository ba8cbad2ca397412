/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The roll call: do these processes still have these sockets under these descriptors?  A descriptor
 * that is known by its number is looked up in its table, where the pass over a process walks
 * through all of them.  Takes no lock: what it says was so at some moment of the call.
 */
#ifndef BPF_HOLDS_H
#define BPF_HOLDS_H

#include "abi.h"
#include "kernel_access.h"
#include "record.h"
#include "walk.h"

/* Question and answer: user space calls one roll at a time, and reads it in place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_roll);
} roll SEC(".maps");

/*
 * The socket behind a descriptor of a task that is known by its address only; NULL when there is
 * none.  The way back, as in task_sock_of_fd(): an O_PATH descriptor has a socket's inode, too.
 */
static __always_inline struct socket *socket_of_fd_probed(struct task_struct *task, __u32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **table = BPF_CORE_READ(fdt, fd), *file;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	file = file_in_slot(false, table + fd);
	if (!file || file_type(false, file) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	if (!socket || BPF_CORE_READ(socket, file) != file)
		return NULL;
	return socket;
}

/* As sock_owns_port() of the pass says it of a socket that the verifier knows. */
static __always_inline bool sock_still_owns_port(const struct sock *sk)
{
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	unsigned char state = BPF_CORE_READ(sk, __sk_common.skc_state);

	if (!BPF_CORE_READ(sk, __sk_common.skc_num))
		return false;
	if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)
		return true;
	return state == TCP_LISTEN || state == TCP_CLOSE;
}

/* Global, as fill_owner() is.  What does not hold (any more) is left without references. */
__noinline int fill_hold(struct abi_hold *to, __u64 address)
{
	struct task_struct *task = (struct task_struct *)address;
	struct waiters waiters = {};
	struct socket *socket;
	struct file *file;
	struct sock *sk;

	if (!to)
		return 0;
	to->start_ns = BPF_CORE_READ(task, start_boottime);
	socket = socket_of_fd_probed(task, to->fd);
	sk = socket ? BPF_CORE_READ(socket, sk) : NULL;
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) != to->cookie)
		return 0;
	if (!sock_still_owns_port(sk))
		return 0;
	file = BPF_CORE_READ(socket, file);
	sock_waiters(sk, file, &waiters);
	to->file_refs = file_references_probed(file) - waiters.references;
	return 0;
}

struct roll_call {
	void *roll;
};

static long call_next(__u64 turn, struct roll_call *call)
{
	struct abi_roll *to = call->roll;
	struct task_struct *task;

	if (turn >= ABI_HOLDS_MAX || turn >= to->n)
		return STEP_LAST;
	task = bpf_task_from_pid(to->holds[turn].pid);
	if (!task)
		return STEP_AGAIN;
	/* a leader's leader is itself: the same as a number, which a global function takes */
	fill_hold(&to->holds[turn], (__u64)BPF_CORE_READ(task, group_leader));
	bpf_task_release(task);
	return STEP_AGAIN;
}

SEC("syscall")
int call_roll(void *ctx)
{
	__u32 zero = 0;
	struct roll_call call = { .roll = bpf_map_lookup_elem(&roll, &zero) };

	if (!call.roll || !bpf_task_from_pid || !bpf_task_release)
		return 1;
	bpf_loop(ABI_HOLDS_MAX, call_next, &call, 0);
	return 0;
}

#endif
