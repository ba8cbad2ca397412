/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How to get at things in the kernel: one accessor for each thing that differs between kernels or
 * between program types, decided by what the kernel's BTF has, never by a version.
 *
 * `typed` (a constant at each call) says how a pointer may be read.  One whose type the verifier
 * knows is dereferenced: a nanosecond instead of fifty for the probe helper, and still allowed
 * under lockdown=confidentiality.  AS_TYPE() gives any address a type, where can_cast() says so;
 * elsewhere an address out of an untyped array (a descriptor table) must be read through the
 * helper.
 *
 * What the verifier typed by itself is cast, too: such a pointer is trusted, and for each pointer
 * that is loaded through a trusted one the verifier searches the kernel's whole BTF (0.2 ms).  A
 * helper that asks for a trusted pointer is given the original.
 */
#ifndef BPF_KERNEL_ACCESS_H
#define BPF_KERNEL_ACCESS_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "repeat.h"

/* Follows pointers from a task; the verifier knows the type of the current one from 5.11 on. */
#ifdef HELPERS_OF_5_10
#define MEMBER(p, ...) BPF_CORE_READ(p, __VA_ARGS__)
#else
#define MEMBER(p, ...) ___arrow(p, __VA_ARGS__)
#endif

#define ACCESS(typed, p, member) ((typed) ? (p)->member : BPF_CORE_READ(p, member))
#define ACCESS_BITS(typed, p, member) \
	((typed) ? BPF_CORE_READ_BITFIELD(p, member) : BPF_CORE_READ_BITFIELD_PROBED(p, member))

/* From 6.2 on (a35b9af4ec2c, fd264ca02094). */
void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;
void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

/* False after a first attempt at loading that failed: the casts may have been the reason. */
const volatile bool may_cast = true;

/* Told by a member that came with the same release: to name the functions themselves in a
 * comparison is refused before 6.4. */
static __always_inline bool can_cast(void)
{
	return may_cast && bpf_core_field_exists(((struct net *)0)->ipv4.udp_table);
}

/* Only where can_cast(). */
#define AS_TYPE(name, address)                                   \
	((struct name *)bpf_rdonly_cast((const void *)(address), \
					bpf_core_type_id_kernel(struct name)))

/* A pointer that the verifier has typed, without its trust. */
#define UNTRUSTED(name, p) (can_cast() ? AS_TYPE(name, p) : (p))

static __always_inline struct task_struct *current_task(void)
{
	if (can_cast())
		return AS_TYPE(task_struct, bpf_get_current_task());
#ifdef HELPERS_OF_5_10
	return (struct task_struct *)bpf_get_current_task();
#else
	return bpf_get_current_task_btf();
#endif
}

static __always_inline __u32 not_negative(long count)
{
	return count > 0 ? count : 0;
}

/*
 * How many references a file has: none while it is being released, which may take long (SO_LINGER).
 * 90ee6ed776c0 ("fs: port files to file_ref", 6.13) replaced f_count by f_ref, which is stored
 * biased by one, and far below zero once the last one is gone.
 */
static __always_inline __u32 file_references(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref))
		return not_negative(file->f_ref.refcnt.counter + 1);
	return not_negative(file->f_count.counter);
}

/* The same through a pointer that the verifier did not type. */
static __always_inline __u32 file_references_probed(const struct file *file)
{
	if (bpf_core_field_exists(file->f_ref))
		return not_negative(BPF_CORE_READ(file, f_ref.refcnt.counter) + 1);
	return not_negative(BPF_CORE_READ(file, f_count.counter));
}

/* The last thread of its group is going: the kernel counts down before sched_process_exit. */
static __always_inline bool task_group_is_dead(struct task_struct *task)
{
	return task->signal->live.counter == 0;
}

/* What waitpid() will report, by the rule of wait_task_zombie(). */
static __always_inline int task_exit_code(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;

	if (signal->flags & SIGNAL_GROUP_EXIT)
		return signal->group_exit_code;
	return task->group_leader->exit_code;
}

/* to: ABI_COMM_SIZE bytes, aligned to eight. */
static __always_inline void task_copy_comm(char *to, struct task_struct *task)
{
#ifdef HELPERS_OF_5_10
	bpf_core_read(to, sizeof(task->comm), &task->comm);
#else
	const __u64 *from = (const __u64 *)task->comm;
	__u64 *words = (__u64 *)to;

	words[0] = from[0];
	words[1] = from[1];
#endif
}

static __always_inline struct path read_path(const struct path *path)
{
	struct path copy = {
		.mnt = BPF_CORE_READ(path, mnt),
		.dentry = BPF_CORE_READ(path, dentry),
	};

	return copy;
}

static __always_inline __u16 file_type(const bool typed, struct file *file)
{
	return (typed ? file->f_inode->i_mode : BPF_CORE_READ(file, f_inode, i_mode)) & S_IFMT;
}

/*
 * To a program on a tracepoint.  Before such a program could give a socket its cookie (5.12): 0 of
 * one that nobody has asked for it yet, which no bind() of ours has met.
 */
static __always_inline __u64 traced_cookie(struct sock *sk)
{
#ifdef HELPERS_OF_5_10
	return sk->__sk_common.skc_cookie.counter;
#else
	return bpf_get_socket_cookie(sk);
#endif
}

/* What the slot of a descriptor table points to. */
static __always_inline struct file *file_in_slot(const bool typed, struct file **slot)
{
	struct file *file = NULL;

	if (typed) /* anything that begins with a pointer */
		return AS_TYPE(file, AS_TYPE(hlist_head, slot)->first);
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	return file;
}

/*
 * The socket behind a descriptor of this task, or NULL.  A descriptor opened with O_PATH on a Unix
 * socket's name has a socket inode too, but no socket: hence the way back.
 */
static __always_inline struct sock *task_sock_of_fd(const bool typed, struct task_struct *task,
						    __u32 fd)
{
	struct fdtable *fdt = MEMBER(task, files, fdt);
	struct socket *socket;
	struct file *file;

	if (fd >= MEMBER(fdt, max_fds))
		return NULL;
	file = file_in_slot(typed, MEMBER(fdt, fd) + fd);
	if (!file || file_type(typed, file) != S_IFSOCK)
		return NULL;
	socket = ACCESS(typed, file, private_data);
	if (typed)
		socket = AS_TYPE(socket, socket);
	if (!socket || ACCESS(typed, socket, file) != file)
		return NULL;
	return ACCESS(typed, socket, sk);
}

/*
 * The inode of a socket's file.  The subflow under an MPTCP listener has no file of its own on
 * older kernels; its inode number is then set to that of the MPTCP socket (mptcp_subflow_create_
 * socket), in the allocation that surrounds the socket.
 */
static __always_inline __u64 socket_inode(const bool typed, struct socket *socket,
					  bool probing_is_allowed)
{
	struct socket_alloc *around;
	struct file *file;

	if (!socket)
		return 0;
	file = ACCESS(typed, socket, file);
	if (file)
		return typed ? file->f_inode->i_ino : BPF_CORE_READ(file, f_inode, i_ino);
	if (!probing_is_allowed)
		return 0;
	around = (void *)socket - bpf_core_field_offset(struct socket_alloc, socket);
	return BPF_CORE_READ(around, vfs_inode.i_ino);
}

static __always_inline __u32 sock_netns(const bool typed, const struct sock *sk)
{
	return typed ? sk->__sk_common.skc_net.net->ns.inum
		     : BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* A kernel may be built without MPTCP. */
static __always_inline bool tcp_is_mptcp(const struct tcp_sock *tcp)
{
	return bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp;
}

static __always_inline bool tcp_is_mptcp_probed(const struct tcp_sock *tcp)
{
	return bpf_core_field_exists(tcp->is_mptcp) && BPF_CORE_READ(tcp, is_mptcp);
}

/* The members of a reuseport group that were shut down: counted since 5c040eaf5d17 (5.14). */
static __always_inline __u16 group_closed_members(const struct sock_reuseport *group)
{
	if (bpf_core_field_exists(group->num_closed_socks))
		return BPF_CORE_READ(group, num_closed_socks);
	return 0;
}

/* May something answer this task's calls in the kernel's place: a seccomp filter, a tracer? */
static __always_inline bool task_is_intercepted(struct task_struct *task)
{
	if (MEMBER(task, ptrace))
		return true;
	return bpf_core_field_exists(task->seccomp.mode) && MEMBER(task, seccomp.mode);
}

struct call_arguments {
	__u64 first, second, third;
};

/*
 * The arguments of the current task's system call, read at its exit.  False on an architecture
 * whose registers are not known here.
 */
static __always_inline bool read_call_arguments(struct call_arguments *to)
{
#if defined(HELPERS_OF_5_10) /* bpf_task_pt_regs() is of 5.15 */
	return false;
#elif defined(__TARGET_ARCH_x86)
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	to->first = BPF_CORE_READ(regs, di);
	to->second = BPF_CORE_READ(regs, si);
	to->third = BPF_CORE_READ(regs, dx);
	return true;
#elif defined(__TARGET_ARCH_arm64)
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	to->first = BPF_CORE_READ(regs, orig_x0);
	to->second = BPF_CORE_READ(regs, regs[1]);
	to->third = BPF_CORE_READ(regs, regs[2]);
	return true;
#else
	return false;
#endif
}

/* --- programs of cgroups --- */

#define CGROUP_LEVELS_MAX 32 /* deeper ones are not searched */

/* Before 6fc88c354f3a ("bpf: Migrate cgroup_bpf to internal cgroup_bpf_attach_type enum", 5.15):
 * the number that bpf() knows the hook by. */
static __always_inline int cgroup_hook_by_attach_type(bool post_bind, const bool v6)
{
#ifdef HELPERS_OF_5_10
	if (post_bind)
		return v6 ? BPF_CGROUP_INET6_POST_BIND : BPF_CGROUP_INET4_POST_BIND;
	return v6 ? BPF_CGROUP_INET6_BIND : BPF_CGROUP_INET4_BIND;
#else
	return -1;
#endif
}

/* The index of a hook among those of a cgroup; negative where the kernel counts differently. */
static __always_inline int cgroup_hook(bool post_bind, const bool v6)
{
	if (!bpf_core_enum_value_exists(enum cgroup_bpf_attach_type, CGROUP_INET4_BIND))
		return cgroup_hook_by_attach_type(post_bind, v6);
	if (post_bind)
		return v6 ? bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET6_POST_BIND)
			  : bpf_core_enum_value(enum cgroup_bpf_attach_type,
						CGROUP_INET4_POST_BIND);
	return v6 ? bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET6_BIND)
		  : bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET4_BIND);
}

/*
 * Are there programs on this hook of the very cgroup?  00442143a2ab ("bpf: convert cgroup_bpf.progs
 * to hlist", 6.1): before, an empty list points to itself.
 */
static __always_inline bool cgroup_has_program(const struct cgroup *cgroup, int hook)
{
#ifdef HELPERS_OF_5_10
	__u32 list_bytes = bpf_core_type_size(struct list_head);
#else
	__u32 hooks = bpf_core_enum_value(enum cgroup_bpf_attach_type, MAX_CGROUP_BPF_ATTACH_TYPE);
	__u32 list_bytes = bpf_core_field_size(cgroup->bpf.progs) / hooks;
#endif
	const void *list = (const void *)cgroup + bpf_core_field_offset(struct cgroup, bpf.progs) +
			   hook * list_bytes;
	const void *first = NULL;

	bpf_probe_read_kernel(&first, sizeof(first), list);
	return first && first != list;
}

/*
 * The socket's cgroup, or the nearest of its parents, that has a program on this hook; 0 = none.
 * bd0a7dc8a1e8 ("cgroup: Make use of the pointer only", 5.16): before, it may be something else
 * than a pointer.
 */
static __always_inline __u64 nearest_cgroup_with_program(const struct sock *sk, int hook)
{
	struct cgroup_subsys_state *parent;
	struct cgroup *cgroup;

	if (hook < 0 || !bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return 0;
	cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	for (int i = 0; i < CGROUP_LEVELS_MAX && cgroup; i++) {
		if (cgroup_has_program(cgroup, hook))
			return BPF_CORE_READ(cgroup, kn, id);
		parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	}
	return 0;
}

/* --- who waits on a socket --- */

#define WAITERS_MAX TURNS(256, 8) /* entries of one wait queue that are looked at */

struct waiters {
	struct list_head *head, *node;
	struct file *file;
	__u32 references; /* to the file, held only as long as somebody waits */
	__u32 sleeper;	  /* a thread group that sleeps in a call on this very socket; 0 = none */
};

/* A wait queue's entry may belong to a task, to epoll (NULL) or to io_uring (something else). */
static __always_inline bool is_task(const struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	return leader && BPF_CORE_READ(leader, group_leader) == leader &&
	       (__u32)BPF_CORE_READ(task, pid) < PID_MAX_LIMIT;
}

static long look_at_waiter(__u64 turn, struct waiters *w)
{
	struct list_head *node = w->node;
	struct wait_queue_entry *entry;
	struct poll_table_entry *poll;
	struct task_struct *task;

	if (!node || node == w->head)
		return 1;
	entry = (void *)node - bpf_core_field_offset(struct wait_queue_entry, entry);
	poll = (void *)entry - bpf_core_field_offset(struct poll_table_entry, wait);
	task = BPF_CORE_READ(entry, private);
	if (BPF_CORE_READ(poll, filp) == w->file) {
		w->references++;
	} else if (task && is_task(task)) {
		w->sleeper = BPF_CORE_READ(task, tgid);
		/* a call holds a reference of its own only where another thread could close the
		 * descriptor under it (fdget) */
		if (BPF_CORE_READ(task, files, count.counter) > 1)
			w->references++;
	}
	w->node = BPF_CORE_READ(node, next);
	return 0;
}

/* `to` is zeroed. */
static __always_inline void sock_waiters(const struct sock *sk, struct file *file,
					 struct waiters *to)
{
	struct socket_wq *wq = BPF_CORE_READ(sk, sk_wq);
	struct list_head *node;

	if (!wq)
		return;
	to->file = file;
	to->head = (void *)wq + bpf_core_field_offset(struct socket_wq, wait) +
		   bpf_core_field_offset(struct wait_queue_head, head);
	node = to->head;
	to->node = BPF_CORE_READ(node, next);
	REPEAT(WAITERS_MAX, look_at_waiter, to);
}

/* Of this many references to a file those that last: who waits in its release has none. */
static __always_inline __u32 lasting_references(__u32 references, const struct waiters *w)
{
	return references > w->references ? references - w->references : 0;
}

/*
 * The hash table of a namespace's UDP sockets.  Before ba6aac151674 ("udp: Access &udp_table via
 * net.", 6.2) all namespaces have one, which their protocol names: of each UDP socket, also of the
 * kernel's own for multicast.  NULL where the verifier follows each step: a second walk is too
 * much.
 */
static __always_inline struct udp_table *net_udp_table(const struct net *net)
{
	if (bpf_core_field_exists(net->ipv4.udp_table))
		return BPF_CORE_READ(net, ipv4.udp_table);
#ifdef HELPERS_OF_5_10
	return NULL;
#else
	return BPF_CORE_READ(net, ipv4.mc_autojoin_sk, __sk_common.skc_prot, h.udp_table);
#endif
}

#endif
