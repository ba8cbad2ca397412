/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Runs: a process that user space named, and all that descend from it.  A child is of its parent's
 * run from the moment of the fork, so neither setsid() nor a second fork nor a dead parent leaves
 * it.  The members of a run are counted here: user space is told once, when the last has ended, and
 * a run in which thousands of processes come and go costs it nothing.
 *
 * A member that user space names for a run of its own begins an inner one, which as a whole is one
 * member of the outer one.
 */
#ifndef BPF_RUNS_H
#define BPF_RUNS_H

#include "head.h"
#include "state.h"
#include "wake.h"

#define RUNS_DEPTH_MAX 8 /* runs around each other that may end with one process */

static __always_inline bool is_member(__u32 pid)
{
	return bpf_map_lookup_elem(&members, &pid) != NULL;
}

/* Before the child runs: the count never falls to 0 in between. */
static __always_inline void inherit_run(struct task_struct *parent, struct task_struct *child)
{
	__u32 from = parent->tgid, to = child->tgid;
	struct abi_member *member = bpf_map_lookup_elem(&members, &from), inherited;
	struct abi_run *r;

	if (!member)
		return;
	inherited = *member;
	inherited.start_ns = child->group_leader->start_boottime;
	r = bpf_map_lookup_elem(&runs, &inherited.run);
	if (!r)
		return;
	__sync_fetch_and_add(&r->members, 1);
	if (!bpf_map_update_elem(&members, &to, &inherited, BPF_ANY))
		return;
	__sync_fetch_and_add(&r->members, -1);
	count(&lost_members);
}

static __always_inline void emit_run_end(struct task_struct *last, __u64 run)
{
	struct abi_run_event *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);

	if (!e) {
		count(&lost_ring);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	fill_head(&e->head, last, ABI_RUN_END, sizeof(*e));
	e->run = run;
	e->exit_code = task_exit_code(last);
	submit_at_once(e);
}

/*
 * Counts a member out.  True for the last, with which the run goes; *outer gets the one around it.
 * Before atomic additions told what they had found (5.12) two may both see that none is left: who
 * removes the run is the last.
 */
static __always_inline bool leaves_none(struct abi_run *r, __u64 *run, __u64 *outer)
{
#ifdef HELPERS_OF_5_10
	*outer = r->outer;
	__sync_fetch_and_add(&r->members, -1);
	barrier();
	return !r->members && !bpf_map_delete_elem(&runs, run);
#else
	if (__sync_fetch_and_add(&r->members, -1) != 1)
		return false;
	*outer = r->outer;
	bpf_map_delete_elem(&runs, run);
	return true;
#endif
}

/* A member's last thread has ended; with the last member of a run, one of the run around it. */
static __always_inline void leave_run(struct task_struct *task)
{
	__u32 pid = task->tgid;
	struct abi_member *member = bpf_map_lookup_elem(&members, &pid);
	__u64 run;

	if (!member)
		return;
	run = member->run;
	/* two last threads may both see the group dead: who removes it counts it */
	if (bpf_map_delete_elem(&members, &pid))
		return;
	for (int depth = 0; depth < RUNS_DEPTH_MAX && run; depth++) {
		struct abi_run *r = bpf_map_lookup_elem(&runs, &run);
		__u64 outer;

		if (!r || !leaves_none(r, &run, &outer))
			return;
		emit_run_end(task, run);
		run = outer;
	}
}

#endif
