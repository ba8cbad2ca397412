/* SPDX-License-Identifier: MIT */
/*
 * What the kernel can be asked for, beside the events that it sends by itself.  The sentinel fills
 * this (sentinel_kernel_source()), inventory and explain ask by it, and tests answer in its place.
 *
 * A question that cannot be asked here is NULL, whatever the reason is: no eBPF, or a probe that
 * this kernel refuses.  One that can be asked may still answer -EOPNOTSUPP, once the kernel turns
 * out to lack it.  Whoever asks does without then: by /proc and sock_diag, which see less.
 */
#ifndef BASE_KERNEL_SOURCE_H
#define BASE_KERNEL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"
#include "base/procfs.h"

struct abi_hold;
struct abi_look;
struct abi_walk;
struct abi_walk_answer;
struct run_member;
struct run_rules;

struct kernel_source {
	void *user_data; /* the first argument of each question */

	/*
	 * A new descriptor on one full iterator pass over all processes' descriptors; reading it to
	 * its end gives abi_process_event and abi_holder records (bpf/abi.h).  A process's record
	 * precedes its first holder.  Each socket is tracked when it is shown, while its file is
	 * held, so that its CLOSE is still to come.  Owned by the caller.
	 */
	int (*open_holder_pass)(void *user_data);

	/*
	 * Which sockets does the process `look->pid` hold right now?  Fills the rest of *look;
	 * costs a walk of that process's descriptors only.  0, -ESRCH, negative errno.
	 */
	int (*look)(void *user_data, struct abi_look *look);

	/*
	 * Are these n descriptors still those of these sockets?  Answers in the array: two
	 * microseconds for each, however many descriptors its process has.  Of a process's other
	 * descriptors, and of those in tables private to a thread, it knows nothing.  0, negative
	 * errno.
	 */
	int (*recheck_descriptors)(void *user_data, struct abi_hold *holds, size_t n);

	/*
	 * A new descriptor on one pass over everything that may refer to one of these
	 * n <= ABI_FILE_REF_FILES_MAX files, which are named as the walk names them (struct
	 * abi_owner). Reading it to its end gives abi_file_ref records.  `pass` is one of enum
	 * abi_file_ref_pass; one pass at a time.  Owned by the caller.  -E2BIG, negative errno.
	 */
	int (*open_reference_pass)(void *user_data, unsigned pass, const uint64_t *files, size_t n);

	/*
	 * Walks the kernel's own bind table: the owners of one port.  *ret is borrowed until the
	 * next walk; its head.result is the walk's own outcome.  Takes no lock, so that the
	 * table may change under it: the caller repeats it until two walks agree.  0, negative
	 * errno.
	 */
	int (*walk)(void *user_data, const struct abi_walk *asked,
		    const struct abi_walk_answer **ret);

	/*
	 * Tells the kernel side which sockets that neither an event nor a pass has shown are
	 * tracked (their CLOSE is then reported) and which processes hold tracked sockets (their
	 * FORK, EXEC and EXIT are), or hold none any more.  Sockets and processes that are seen
	 * binding are added by the kernel side itself.  To untrack a process that is not tracked is
	 * no error. 0, -E2BIG, negative errno.
	 */
	int (*track_socket)(void *user_data, uint64_t cookie);
	int (*track_process)(void *user_data, const struct process_id *id, bool track);
	/* The same of processes of which only the EXIT is told, sockets or none: of ancestors. */
	int (*track_exit)(void *user_data, const struct process_id *id, bool track);

	/*
	 * Begins a run: a living process, which forks nothing until this has returned, and all that
	 * will descend from it.  EVENT_RUN_END tells that the last of them has ended.  `run` is any
	 * number that no other run has had, but 0.  Where the process is of a run already, the new
	 * one is a member of that as a whole.  A run whose number fits into 32 bits is named: its
	 * members can be asked for, and events tell of it.  0; -ESRCH; -E2BIG when there are too
	 * many runs or members; negative errno.
	 */
	int (*begin_run)(void *user_data, uint64_t run, const struct process_id *first);
	/* Has it members that have not ended?  For when the event may have been lost. */
	bool (*run_lives)(void *user_data, uint64_t run);
	/*
	 * A process that is of a run since before this side knew of it, which begins with the first
	 * of them.  What it forks meanwhile may be missed: whoever looks looks again.  As
	 * begin_run; 0 also for one that is a member already.
	 */
	int (*join_run)(void *user_data, uint32_t run, const struct process_id *id);
	/* The innermost named run that a process is a member of; 0 = of none, or not known. */
	uint32_t (*run_of)(void *user_data, const struct process_id *id);
	/* The members of all named runs, in no order; *ret is the caller's: free().  0, negative
	 * errno. */
	int (*run_members)(void *user_data, struct run_member **ret, size_t *ret_n);
	/* How many members there was no room for, ever. */
	uint64_t (*lost_members)(void *user_data);

	/*
	 * The rules of a named run, NULL = none any more: which ports its program has hard-coded,
	 * and what it is given instead.  Told before the run begins, for what its members bind is
	 * counted from then on.  Of runs of one project (rules->project) each reaches the others'
	 * ports once set_siblings() has named them: those that have hard-coded `asked`, newest
	 * first, n <= RUN_SIBLINGS_MAX, 0 = none any more.  0, -E2BIG, negative errno.
	 */
	int (*set_run_rules)(void *user_data, uint32_t run, const struct run_rules *rules);
	int (*set_siblings)(void *user_data, uint64_t project, uint16_t asked, const uint32_t *runs,
			    size_t n);
	/* Not a question, but whether it obeys rules->transparent. */
	bool names_can_be_rewritten;
	/*
	 * From when this returns on nobody binds the port, in this process's network namespace, but
	 * members of runs whose own port it is, by set_run_rules(); who had it before keeps it.  0,
	 * also where it is so already; -E2BIG, negative errno.
	 */
	int (*protect_port)(void *user_data, uint16_t port, bool on);

	/* How far a process is on its way out.  NULL stands for procfs_stage(). */
	enum process_stage (*stage)(void *user_data, const struct process_id *id);

	/*
	 * No question, but who hears of a socket (then id is NULL) or process that could not be
	 * tracked: the room that asked goes on, for its next full pass notices what no event tells.
	 * For whoever hands the source on to set; NULL = nobody.
	 */
	void (*not_tracked)(const struct process_id *id, int error);
};

#endif
