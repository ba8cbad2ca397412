/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The command line of the current process, hashed where it stands in the process's own memory.  A
 * program that cannot have its port ends at once, and its /proc with it.
 */
#ifndef BPF_ARGUMENTS_H
#define BPF_ARGUMENTS_H

#include "abi.h"
#include "kernel_access.h"

struct arguments_walk {
	__u64 hash;
	const char *from;
	__u32 left; /* bytes */
	bool failed;
};

static long hash_chunk(__u64 turn, struct arguments_walk *w)
{
	__u64 words[ABI_ARGUMENTS_CHUNK_WORDS];
	__u32 n = w->left;

	if (!n)
		return 1;
	if (n > sizeof(words))
		n = sizeof(words);
	__builtin_memset(words, 0, sizeof(words));
	if (bpf_probe_read_user(words, n, w->from)) {
		w->failed = true;
		return 1;
	}
	w->hash = abi_arguments_hash(w->hash, words);
	w->from += n;
	w->left -= n;
	return 0;
}

/*
 * `to` is zeroed, and stays so where a page is not in memory.  After a setproctitle(3) the area no
 * longer ends with NUL, and /proc shows what stands up to the next one: that is not read here.
 */
static __noinline void fill_arguments(struct abi_arguments *to, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	__u64 start = mm->arg_start, end = mm->arg_end; /* a kernel thread's mm reads as zeros */
	struct arguments_walk w = { .from = (const char *)start };
	char last = 0;

	if (end <= start)
		return;
	w.left = end - start < ABI_ARGUMENTS_MAX ? end - start : ABI_ARGUMENTS_MAX;
	to->bytes = w.left;
	if (bpf_probe_read_user(&last, sizeof(last), (const void *)(end - 1)) || last)
		w.failed = true;
	else
		bpf_loop(ABI_ARGUMENTS_MAX / ABI_ARGUMENTS_CHUNK, hash_chunk, &w, 0);
	if (w.failed)
		to->bytes = 0;
	else
		to->hash = w.hash;
}

#endif
