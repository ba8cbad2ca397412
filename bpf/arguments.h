/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The command line of the current process, hashed where it stands in the process's own memory.  A
 * program that cannot have its port ends at once, and its /proc with it.
 */
#ifndef BPF_ARGUMENTS_H
#define BPF_ARGUMENTS_H

#include "abi.h"
#include "kernel_access.h"
#include "repeat.h"

/* The record has what changes from turn to turn: what stands on the stack is a constant to the
 * verifier of Linux 6.1, which looks at the first turn only. */
struct arguments_walk {
	struct abi_arguments *to;
	__u64 start;
};

static long hash_chunk(__u32 turn, struct arguments_walk *w)
{
	__u64 words[ABI_ARGUMENTS_CHUNK_WORDS];
	struct abi_arguments *to = w->to;
	__u32 done = turn * ABI_ARGUMENTS_CHUNK, n = to->bytes;

	if (n <= done)
		return 1;
	n -= done;
	if (n > sizeof(words))
		n = sizeof(words);
	__builtin_memset(words, 0, sizeof(words));
	if (bpf_probe_read_user(words, n, (const void *)(w->start + done)))
		to->bytes = 0;
	else
		to->hash = abi_arguments_hash(to->hash, words);
	return 0;
}

/*
 * `to` is zeroed, and has no bytes where a page is not in memory.  After a setproctitle(3) the area
 * no longer ends with NUL, and /proc shows what stands up to the next one: that is not read here.
 */
static __noinline void fill_arguments(struct abi_arguments *to, struct task_struct *task)
{
	struct mm_struct *mm = MEMBER(task, mm);
	__u64 start = MEMBER(mm, arg_start),
	      end = MEMBER(mm, arg_end); /* a kernel thread's mm reads as zeros */
	struct arguments_walk w = { .to = to, .start = start };
	char last = 0;

	if (end <= start || bpf_probe_read_user(&last, sizeof(last), (const void *)(end - 1)) ||
	    last)
		return;
	to->bytes = end - start < ABI_ARGUMENTS_MAX ? end - start : ABI_ARGUMENTS_MAX;
	REPEAT(ABI_ARGUMENTS_MAX / ABI_ARGUMENTS_CHUNK, hash_chunk, &w);
}

#endif
