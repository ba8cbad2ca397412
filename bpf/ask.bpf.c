/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The object that answers: the owners of a port, whether descriptors are still those of their
 * sockets, and everything that holds a file.  Nothing runs until user space asks, one question of a
 * kind at a time; no lock is taken.  What an answer needs of the kernel's memory it reads by the
 * probe helper: under lockdown=confidentiality nothing of it loads.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "file_refs.h"
#include "head.h"
#include "kernel_access.h"
#include "owners.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* --- a task by its pid --- */

/*
 * In the kernel's own tree of them (include/linux/xarray.h), without a lock or a reference: of a
 * task that ends meanwhile nothing is found, or what is no longer so, and whoever asked compares
 * its start or its namespace.  bpf_task_from_pid() came with 6.2 (3f0e6f2b41d3), and to programs of
 * this type it is lent since 6.10 (a8e03b6bbb2c).
 */
static __always_inline struct task_struct *find_task(__u32 pid)
{
	const struct pid_namespace *all = BPF_CORE_READ(current_task(), thread_pid, numbers[0].ns);
	unsigned long entry = (unsigned long)BPF_CORE_READ(all, idr.idr_rt.xa_head);
	__u32 n_slots = bpf_core_field_size(((struct xa_node *)0)->slots) / sizeof(void *);
	struct task_struct *task;
	struct hlist_node *link;

	for (int i = 0; i < PID_TREE_LEVELS && (entry & XA_TAGS) == XA_NODE; i++) {
		const void *node = (const void *)(entry - XA_NODE);
		__u32 slot = pid >> BPF_CORE_READ((struct xa_node *)node, shift) & (n_slots - 1);

		node += bpf_core_field_offset(struct xa_node, slots) + slot * sizeof(void *);
		bpf_probe_read_kernel(&entry, sizeof(entry), node);
	}
	if (!entry || entry & XA_TAGS)
		return NULL;
	link = BPF_CORE_READ((struct pid *)entry, tasks[0].first);
	if (!link)
		return NULL;
	task = (void *)link - bpf_core_field_offset(struct task_struct, pid_links);
	/* a pid beyond the tree's last one led to another */
	return BPF_CORE_READ(task, pid) == (int)pid ? task : NULL;
}

/* --- the walk: every owner of a port, as the kernel's bind table lists it --- */

/* One answer at a time: user space makes one walk at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_walk_answer);
} walk_answer SEC(".maps");

static long owners_step(__u64 turn, struct owners_walk *w)
{
	struct abi_walk_answer *to = w->to;
	const struct sock *sk;
	__u32 n = to->head.n_owners;

	if (!w->owner)
		return step_to_next_address(w);
	sk = take_owner(w);
	if (!is_asked_for(w, sk) || w->passed_over++ < to->head.skip)
		return STEP_AGAIN;
	if (n >= ABI_OWNERS_MAX) {
		to->head.more = 1;
		return STEP_LAST;
	}
	fill_owner(&to->owners[n], (__u64)sk);
	to->head.n_owners = n + 1;
	return STEP_AGAIN;
}

static __always_inline void fill_bucket(struct abi_walk *to, struct inet_bind_bucket *bucket)
{
	to->bucket = 1;
	to->fastreuse = BPF_CORE_READ(bucket, fastreuse);
	to->fastreuseport = BPF_CORE_READ(bucket, fastreuseport);
	to->fastuid = BPF_CORE_READ(bucket, fastuid.val);
	to->fast_rcv_saddr = BPF_CORE_READ(bucket, fast_rcv_saddr);
	BPF_CORE_READ_INTO(&to->fast_v6_rcv_saddr, bucket, fast_v6_rcv_saddr);
	to->fast_family = BPF_CORE_READ(bucket, fast_sk_family);
	to->fast_ipv6_only = BPF_CORE_READ(bucket, fast_ipv6_only);
}

static __always_inline void walk_tcp(const struct net *net, struct abi_walk_answer *to)
{
	struct owners_walk w = { .to = to, .net = net, .port = to->head.port };
	struct inet_bind_bucket *bucket = find_bucket(net, to->head.port);

	if (!bucket)
		return;
	fill_bucket(&to->head, bucket);
	start_in_bucket(&w, bucket);
	bpf_loop(CHAIN_MAX, owners_step, &w, 0);
}

/*
 * The slot of hash2 that was asked for.  Its entries grew with 4-tuple hashing (78c91ae2c6de, 6.13)
 * by a counter, aligned to two words.  Not a relocation: for a type that the kernel has not, libbpf
 * searches all modules, which takes CAP_SYS_ADMIN.
 */
static __always_inline struct udp_hslot *secondary_slot(const struct udp_table *table, __u32 slot)
{
	__u32 bytes = bpf_core_type_size(struct udp_hslot), align = 2 * sizeof(long);

	if (bpf_core_field_exists(table->hash4))
		bytes = (bytes + sizeof(__u32) + align - 1) & ~(align - 1);
	return BPF_CORE_READ(table, hash2) + slot * bytes;
}

static __always_inline void walk_udp(const struct net *net, struct abi_walk_answer *to)
{
	struct udp_table *table = net_udp_table(net);
	__u32 mask = BPF_CORE_READ(table, mask);
	struct owners_walk w = { .to = to, .net = net, .port = to->head.port, .udp = true };
	struct udp_hslot *slot;

	if (!table) {
		to->head.result = -ABI_EOPNOTSUPP;
		return;
	}
	if (to->head.slot2) {
		slot = secondary_slot(table, (to->head.slot2 - 1) & mask);
		w.node_offset = bpf_core_field_offset(struct sock, __sk_common.skc_portaddr_node);
	} else {
		slot = primary_slot(table, net, to->head.port);
		w.node_offset = bpf_core_field_offset(struct sock, __sk_common.skc_node);
	}
	to->head.slot_count = BPF_CORE_READ(slot, count);
	to->head.slot2_mask = mask;
	w.owner = BPF_CORE_READ(slot, head.first);
	bpf_loop(CHAIN_MAX, owners_step, &w, 0);
}

static __always_inline void walk_namespace(struct task_struct *task, struct abi_walk_answer *to)
{
	const struct net *net = BPF_CORE_READ(task, nsproxy, net_ns);

	if (!net) { /* a zombie has none any more */
		to->head.result = -ABI_ESRCH;
		return;
	}
	to->head.netns = BPF_CORE_READ(net, ns.inum);
	to->head.hash_mix = BPF_CORE_READ(net, hash_mix);
	fill_netns(&to->head.netns_settings, (__u64)net);
	if (to->head.protocol == IPPROTO_UDP)
		walk_udp(net, to);
	else
		walk_tcp(net, to);
}

SEC("syscall")
int walk(struct abi_walk *asked)
{
	__u32 zero = 0;
	struct abi_walk_answer *to = bpf_map_lookup_elem(&walk_answer, &zero);
	struct task_struct *task;

	if (!to)
		return 1;
	__builtin_memset(&to->head, 0, sizeof(to->head));
	to->head.pid = asked->pid;
	to->head.protocol = asked->protocol;
	to->head.port = asked->port;
	to->head.skip = asked->skip;
	to->head.slot2 = asked->slot2;
	task = to->head.pid ? find_task(to->head.pid) : current_task();
	if (task)
		walk_namespace(task, to);
	else
		to->head.result = -ABI_ESRCH;
	return 0;
}

/*
 * --- the re-check: do these processes still have these sockets under these descriptors? ---
 *
 * A descriptor that is known by its number is looked up in its table, where the pass over a process
 * walks through all of them.  What it says was so at some moment of the call.
 */

/* Question and answer: user space calls one re-check at a time, and reads it in place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_recheck);
} recheck_answer SEC(".maps");

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
	to->file_refs = lasting_references(file_references_probed(file), &waiters);
	return 0;
}

struct recheck {
	void *answer;
};

static long call_next(__u64 turn, struct recheck *call)
{
	struct abi_recheck *to = call->answer;
	struct task_struct *task;

	if (turn >= ABI_HOLDS_MAX || turn >= to->n)
		return STEP_LAST;
	task = find_task(to->holds[turn].pid);
	if (task)
		fill_hold(&to->holds[turn], (__u64)task);
	return STEP_AGAIN;
}

SEC("syscall")
int recheck(void *ctx)
{
	__u32 zero = 0;
	struct recheck call = { .answer = bpf_map_lookup_elem(&recheck_answer, &zero) };

	if (!call.answer)
		return 1;
	bpf_loop(ABI_HOLDS_MAX, call_next, &call, 0);
	return 0;
}

/* --- the passes over everything that holds a file --- */

static __always_inline void write_descriptor(struct seq_file *seq, struct task_struct *task,
					     struct file *file, __u32 fd)
{
	__u64 key = (__u64)file;
	__u32 *target = bpf_map_lookup_elem(&file_ref_targets, &key);
	struct abi_file_ref file_ref = { .references = 1, .fd = fd };

	if (!target)
		return;
	file_ref.target = *target;
	file_ref.kind = kind_of_descriptor(task);
	file_ref.where = (__u64)task->files;
	fill_head(&file_ref.head, task, ABI_FILE_REF, sizeof(file_ref));
	bpf_seq_write(seq, &file_ref, sizeof(file_ref));
}

SEC("iter/task_file")
int file_refs_tasks(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct io_ring_ctx *ring;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	task = UNTRUSTED(task_struct, task);
	socket = bpf_sock_from_file(file);
	if (socket) {
		write_descriptor(seq, task, file, ctx->fd);
		sk = socket->sk;
		if (!sk || sk->__sk_common.skc_family != AF_UNIX)
			return 0;
		look_at_queue(sk);
		write_noted_of(seq, task, ABI_FILE_REF_IN_FLIGHT, sk);
		return 0;
	}
	ring = ring_of_file(file);
	if (!ring)
		return 0;
	look_at_registered(ring);
	write_noted_of(seq, task, ABI_FILE_REF_RING_FILE, ring);
	look_at_pending(ring);
	write_noted_of(seq, task, ABI_FILE_REF_RING_REQUEST, ring);
	return 0;
}

/* Also sockets without a descriptor: not accepted yet, or themselves in flight. */
SEC("iter/unix")
int file_refs_queued(struct bpf_iter__unix *ctx)
{
	struct noted noted = { .seq = ctx->meta->seq,
			       .file_ref = { .kind = ABI_FILE_REF_IN_FLIGHT } };
	struct unix_sock *sk = ctx->unix_sk;

	if (!sk)
		return 0;
	look_at_queue((struct sock *)sk);
	if (!file_ref_hits)
		return 0;
	noted.file_ref.head.kind = ABI_FILE_REF;
	noted.file_ref.head.size = sizeof(noted.file_ref);
	noted.file_ref.where = (__u64)sk;
	write_noted(&noted);
	return 0;
}

SEC("iter/task_vma")
int file_refs_mapped(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;

	if (!task || !vma)
		return 0;
	note_reference(vma->vm_file);
	write_noted_of(ctx->meta->seq, UNTRUSTED(task_struct, task), ABI_FILE_REF_MAPPING, vma);
	return 0;
}
