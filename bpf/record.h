/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Fills the records of abi.h: who (head, description of a process) and what (socket). */
#ifndef BPF_RECORD_H
#define BPF_RECORD_H

#include "abi.h"
#include "head.h"
#include "kernel_access.h"
#include "repeat.h"
#include "state.h"
#include "wake.h"

/* Steps of one walk: over components, and over mount points between them. */
#define PATH_TURNS (ABI_PATH_DEPTH + 8)

/* --- paths --- */

/*
 * A path from its leaf to the process's root.  What was written so far is counted in the record and
 * not here: the verifier follows values on the stack from turn to turn, and would look at each of
 * them; what it reads from a record is any number, and one look is enough.
 */
struct walk {
	struct dentry *dentry;
	struct vfsmount *mnt;
	struct dentry *root_dentry;
	struct vfsmount *root_mnt;
	char *path;
	__u16 *used; /* bytes of the path */
	__u8 *cut;
};

enum { TURN_AGAIN = 0, TURN_LAST = 1 }; /* for REPEAT() */

/*
 * How much may be written at an offset so that the verifier, which knows the offset's range and the
 * returned constant but no relation between two variables, sees that it ends within the path.
 */
static __always_inline __u32 component_room(__u32 used)
{
	if (used <= ABI_PATH_SIZE - 256)
		return 256;
	if (used <= ABI_PATH_SIZE - 128)
		return 128;
	if (used <= ABI_PATH_SIZE - 64)
		return 64;
	if (used <= ABI_PATH_SIZE - 32)
		return 32;
	return 0;
}

/* From the root of a mount to where it is mounted; the last turn at the root of all mounts. */
static __always_inline long walk_up_mount(struct walk *w)
{
	struct mount *mount = (void *)w->mnt - bpf_core_field_offset(struct mount, mnt);
	struct mount *parent = BPF_CORE_READ(mount, mnt_parent);

	if (!parent || parent == mount)
		return TURN_LAST;
	w->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
	w->mnt = (void *)parent + bpf_core_field_offset(struct mount, mnt);
	return TURN_AGAIN;
}

static __always_inline long walk_up_component(struct walk *w)
{
	struct dentry *dentry = w->dentry, *parent = BPF_CORE_READ(dentry, d_parent);
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	__u32 bytes = BPF_CORE_READ(dentry, d_name.len) + 1;
	__u32 used = *w->used, room = component_room(used);
	long n;

	*w->cut = 1;
	if (!room || bytes > room)
		return TURN_LAST;
	n = bpf_probe_read_kernel_str(w->path + used, room, name);
	if (n <= 1) {
		count(&failed_reads);
		return TURN_LAST;
	}
	*w->cut = 0;
	*w->used = used + n;
	w->dentry = parent;
	return parent == dentry; /* a file of no directory, such as a memfd */
}

static long walk_up(__u64 turn, struct walk *w)
{
	struct vfsmount *mnt = w->mnt;

	if (w->dentry == w->root_dentry && mnt == w->root_mnt)
		return TURN_LAST;
	if (w->dentry == BPF_CORE_READ(mnt, mnt_root))
		return walk_up_mount(w);
	if (turn >= PATH_TURNS) {
		*w->cut = 1;
		return TURN_LAST;
	}
	return walk_up_component(w);
}

/* --- description of a process --- */

static __always_inline __u32 session_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, signal, pids[PIDTYPE_SID], numbers[0].nr);
}

static __always_inline void fill_ancestors(struct abi_process_event *to, struct task_struct *task)
{
	for (int i = 0; i < ABI_ANCESTORS_MAX; i++) {
		struct abi_ancestor *ancestor = &to->ancestors[i];

		task = MEMBER(task, group_leader, real_parent, group_leader);
		ancestor->pid = MEMBER(task, tgid);
		if (!ancestor->pid) /* the idle task is nobody's parent */
			break;
		ancestor->start_ns = MEMBER(task, start_boottime);
		ancestor->sid = session_of(task);
		task_copy_comm(ancestor->comm, task);
		to->n_ancestors = i + 1;
	}
}

/* Writes the names from the leaf upwards; nothing is written for the root itself. */
static __always_inline void fill_path(const struct path *of, const struct path *root, char *path,
				      __u16 *used, __u8 *cut)
{
	struct walk w = {
		.dentry = of->dentry,
		.mnt = of->mnt,
		.root_dentry = root->dentry,
		.root_mnt = root->mnt,
		.path = path,
		.used = used,
		.cut = cut,
	};

	*used = 0;
	REPEAT(PATH_TURNS + 1, walk_up, &w);
}

/* `to` is zeroed.  One empty component stands for a path that is not known. */
static __always_inline void fill_process(struct abi_process_event *to, struct task_struct *task)
{
	struct file *exe = MEMBER(task, mm, exe_file);
	struct fs_struct *fs = MEMBER(task, fs);
	struct path root, path;

	fill_head(&to->head, task, ABI_PROCESS, sizeof(*to));
	to->ppid = MEMBER(task, group_leader, real_parent, tgid);
	to->sid = session_of(task);
	fill_ancestors(to, task);
	to->exe_len = 1;
	to->cwd_len = 1;
	if (!fs)
		return;
	root = read_path(&fs->root);
	if (exe) {
		path = read_path(&exe->f_path);
		fill_path(&path, &root, to->exe, &to->exe_len, &to->exe_cut);
	}
	path = read_path(&fs->pwd);
	fill_path(&path, &root, to->cwd, &to->cwd_len, &to->cwd_cut);
}

static __always_inline void zero_process(struct abi_process_event *p)
{
	/* in pieces, kept apart: the compiler inlines no memset of more than a kilobyte */
	__builtin_memset(p, 0, offsetof(struct abi_process_event, exe));
	barrier();
	__builtin_memset(p->exe, 0, sizeof(p->exe));
	barrier();
	__builtin_memset(p->cwd, 0, sizeof(p->cwd));
}

static __always_inline bool description_equal(const struct description *a,
					      const struct description *b)
{
	return a->start_ns == b->start_ns && a->exe == b->exe && a->cwd == b->cwd &&
	       a->ppid == b->ppid;
}

/* False for a process that has no memory: a kernel thread, or one on its way out. */
static __always_inline bool read_description(struct description *to, struct task_struct *task)
{
	struct mm_struct *mm = MEMBER(task, mm);
	struct fs_struct *fs = MEMBER(task, fs);

	if (!mm || !fs)
		return false;
	to->start_ns = MEMBER(task, group_leader, start_boottime);
	to->exe = (__u64)MEMBER(mm, exe_file);
	to->cwd = (__u64)MEMBER(fs, pwd.dentry);
	to->ppid = MEMBER(task, group_leader, real_parent, tgid);
	return true;
}

/*
 * Was this sent, and does it still hold?  Another task may preempt this one and write what it is:
 * then nothing is equal, as no two processes have pid and start in common.
 */
static __always_inline bool is_described(__u32 pid, const struct description *now,
					 struct last_described *last)
{
	struct description *before;

	if (last && last->pid == pid && description_equal(&last->what, now))
		return true;
	before = bpf_map_lookup_elem(&described, &pid);
	if (!before || !description_equal(before, now))
		return false;
	if (last) {
		last->what = *now;
		last->pid = pid;
	}
	return true;
}

/*
 * Sends who this process is, unless that was sent before and still holds: a loop of binds pays a
 * lookup, not a walk.  Marked only after the reservation, so that an event that skips the
 * description stands behind it in the ring, on whatever CPU.  A process that closes its
 * descriptors on its way out is left as it was described.  Global, so that it is verified once for
 * a program however often the program calls it; the result means nothing.
 */
__noinline int describe_current(void)
{
	struct task_struct *task = current_task();
	struct abi_process_event *record;
	__u32 pid = current_pid(), zero = 0;
	struct description now = {};

	if (!may_probe || !read_description(&now, task))
		return 0;
	if (is_described(pid, &now, bpf_map_lookup_elem(&last_described, &zero)))
		return 0;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(&lost_ring);
		return 0;
	}
	zero_process(record);
	fill_process(record, task);
	if (bpf_map_update_elem(&described, &pid, &now, BPF_ANY))
		count(&failed_reads);
	submit_with_next(record);
	return 0;
}

/* --- sockets --- */

static __always_inline bool protocol_is_ours(__u16 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
	       protocol == IPPROTO_MPTCP;
}

static __always_inline bool family_is_ours(__u16 family)
{
	return family == AF_INET || family == AF_INET6;
}

static __always_inline void fill_address(const bool typed, struct abi_socket *to,
					 const struct sock *sk)
{
	__u32 *words = (__u32 *)to->addr;

	if (to->family == AF_INET) {
		words[0] = ACCESS(typed, sk, __sk_common.skc_rcv_saddr);
		return;
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
		words[i] = ACCESS(typed, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
}

/* Everything but file_refs; the cookie only if the socket has one already. */
static __always_inline void fill_socket(const bool typed, struct abi_socket *to,
					const struct sock *sk)
{
	to->cookie = ACCESS(typed, sk, __sk_common.skc_cookie.counter);
	to->inode = socket_inode(typed, ACCESS(typed, sk, sk_socket), may_probe);
	to->netns = sock_netns(typed, sk);
	to->dev = ACCESS(typed, sk, __sk_common.skc_bound_dev_if);
	to->sk_uid = ACCESS(typed, sk, sk_uid.val);
	to->protocol = ACCESS(typed, sk, sk_protocol);
	to->port = ACCESS(typed, sk, __sk_common.skc_num);
	to->family = ACCESS(typed, sk, __sk_common.skc_family);
	to->tcp_state = ACCESS(typed, sk, __sk_common.skc_state);
	to->v6only = ACCESS_BITS(typed, sk, __sk_common.skc_ipv6only);
	to->reuse = !!ACCESS_BITS(typed, sk, __sk_common.skc_reuse) |
		    ACCESS_BITS(typed, sk, __sk_common.skc_reuseport) << 1;
	fill_address(typed, to, sk);
}

/*
 * A zeroed record with its head; NULL when the ring is full, and then that is counted.  Records
 * that can be made good by a pass have to leave some room.
 */
static __always_inline struct abi_socket_event *reserve_socket_event(struct task_struct *task,
								     __u16 kind)
{
	struct abi_socket_event *e = NULL;

	if (ring_bytes_waiting() <= RING_BYTES - RING_KEPT_BYTES) {
		describe_current();
		e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	}
	if (!e) {
		count(&lost_ring);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	fill_head(&e->head, task, kind, sizeof(*e));
	e->head.run = named_run_of(MEMBER(task, tgid));
	return e;
}

static __always_inline void emit_task_event(struct task_struct *task, __u16 kind,
					    struct task_struct *child, int exit_code)
{
	struct abi_task_event *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);

	if (!e) {
		count(&lost_ring);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	fill_head(&e->head, task, kind, sizeof(*e));
	e->exit_code = exit_code;
	if (child) {
		e->child_pid = child->tgid;
		e->child_start_ns = child->start_boottime;
	}
	submit_at_once(e);
}

#endif
