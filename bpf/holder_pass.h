/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every process's sockets in one pass: an iterator over all descriptors. */
#ifndef BPF_HOLDER_PASS_H
#define BPF_HOLDER_PASS_H

#include "abi.h"
#include "head.h"
#include "kernel_access.h"
#include "record.h"
#include "rules.h"
#include "state.h"

/* Listening, or bound without more: what owns a port.  For UDP the state says nothing. */
static __always_inline bool sock_owns_port(const struct sock *sk)
{
	unsigned char state = sk->__sk_common.skc_state;

	if (!family_is_ours(sk->__sk_common.skc_family) || !protocol_is_ours(sk->sk_protocol))
		return false;
	if (!sk->__sk_common.skc_num)
		return false;
	if (sk->sk_protocol == IPPROTO_UDP || sk->sk_protocol == IPPROTO_UDPLITE)
		return true;
	return state == TCP_LISTEN || state == TCP_CLOSE;
}

static __always_inline long write_process(struct seq_file *seq, struct task_struct *task)
{
	__u32 zero = 0;
	struct abi_process_event *record = bpf_map_lookup_elem(&pass_scratch, &zero);

	if (!record)
		return -1;
	zero_process(record);
	if (may_probe) {
		fill_process(record, task);
	} else {
		fill_head(&record->head, task, ABI_PROCESS, sizeof(*record));
		record->exe_len = 1;
		record->cwd_len = 1;
	}
	return bpf_seq_write(seq, record, sizeof(*record));
}

/* The thread group whose record this pass wrote last.  User space runs one pass at a time. */
static __u32 last_described_pid;

/* The table that this pass showed last of those without a main thread, and by which thread. */
static __u64 shown_table;
static __u32 shown_by;

/*
 * The iterator passes over threads that share the main thread's table.  A main thread that has
 * exited has none any more: then the iterator shows every thread's, again and again the same.
 */
static __always_inline bool is_shown_already(struct task_struct *task)
{
	if (task->group_leader->files)
		return false;
	if (shown_table == (__u64)task->files)
		return shown_by != task->pid;
	shown_table = (__u64)task->files;
	shown_by = task->pid;
	return false;
}

SEC("iter/task_file")
int pass(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	__u32 before = ctx->meta->seq_num ? last_described_pid : 0;
	struct abi_holder holder = {};
	struct waiters waiters = {};
	struct socket *socket;
	struct sock *sk;

	last_described_pid = before;
	if (!ctx->meta->seq_num)
		shown_table = 0;
	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !sock_owns_port(sk))
		return 0;
	task = UNTRUSTED(task_struct, task);
	if (is_shown_already(task))
		return 0;
	if (task->tgid != before && write_process(seq, task))
		return 0;
	fill_head(&holder.head, task, ABI_HOLDER, sizeof(holder));
	fill_socket(true, &holder.socket, UNTRUSTED(sock, sk));
	holder.socket.cookie = bpf_get_socket_cookie(sk);
	holder.socket.file_refs = file_references(file) - 1; /* the iterator's own */
	if (may_probe) {
		sock_waiters(sk, file, &waiters);
		holder.socket.file_refs = lasting_references(holder.socket.file_refs, &waiters);
	}
	/* Tracked while its file is held here: its close is yet to come, and will be told. */
	if (!is_ignored(task->tgid))
		track_socket(sk, holder.socket.cookie);
	/* bound before the rules were written: by whoever a daemon that came later has found again
	 */
	if (rules_in_force && is_tcp(sk->sk_protocol))
		count_bound(sk, named_run_of(task->tgid), holder.socket.port);
	holder.fd = ctx->fd;
	holder.table = kind_of_descriptor(task);
	/* on overflow the kernel drops what this turn wrote and runs it again */
	if (!bpf_seq_write(seq, &holder, sizeof(holder)))
		last_described_pid = task->tgid;
	return 0;
}

#endif
