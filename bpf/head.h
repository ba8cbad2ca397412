/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What both objects have: the version of abi.h, and the head of each record. */
#ifndef BPF_HEAD_H
#define BPF_HEAD_H

#include "abi.h"
#include "kernel_access.h"

const volatile __u32 abi_version = ABI_VERSION;

static __always_inline void fill_head(struct abi_head *head, struct task_struct *task, __u16 kind,
				      __u16 size)
{
	struct task_struct *leader = MEMBER(task, group_leader);

	head->kind = kind;
	head->size = size;
	head->pid = MEMBER(task, tgid);
	head->boot_ns = bpf_ktime_get_boot_ns();
	head->start_ns = MEMBER(leader, start_boottime);
	head->cgroup_id = MEMBER(task, cgroups, dfl_cgrp, kn, id);
	head->uid = MEMBER(task, cred, euid.val);
	task_copy_comm(head->comm, leader);
}

/* A main thread that has exited has no table any more; the pass then shows that of each thread. */
static __always_inline __u32 kind_of_descriptor(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	if (task->pid == leader->pid || task->files == leader->files)
		return ABI_FILE_REF_FD;
	return leader->files ? ABI_FILE_REF_THREAD_FD : ABI_FILE_REF_ZOMBIE_FD;
}

#endif
