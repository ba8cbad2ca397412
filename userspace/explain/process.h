/* SPDX-License-Identifier: MIT */
/* What /proc tells everybody of a process that matters to `why`: rights, and states that hold up
 * its end.  Each function copes with the process vanishing. */
#ifndef EXPLAIN_PROCESS_H
#define EXPLAIN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"

#include "reconcile/why.h"

struct inventory;

/* As they are now.  0, -ESRCH. */
int why_process_rights(pid_t pid, struct process_rights *ret);

/*
 * Which of n processes in the state 'D' (NULL = none) wait on, and do not just read a page from the
 * disk, as every program does that has just been executed.  Takes some milliseconds, for all of
 * them together, where there is one.
 */
void why_process_wait_on(const struct process_id *const *ids, size_t n, bool *ret);
bool why_process_is_frozen(const struct process_id *id);
/* The file that thaws its cgroup, and in *ret_word what is written there.  The caller's: free();
 * NULL when it is not frozen (or without memory). */
char *why_process_freezer(const struct process_id *id, const char **ret_word);
/*
 * Where the cgroup with this id is mounted, which must be the process's own or one of its parents
 * (version 2); false when it is not found, or the process is gone.
 */
bool why_process_find_cgroup(const struct process_id *id, uint64_t cgroup_id, char *ret,
			     size_t size);
/* On its way out: exiting, or writing a core dump. */
bool why_process_is_exiting(const struct process_id *id);
/* The signals that it ignores and those that it catches, a bit for each, the lowest for the first;
 * left alone where the process is gone. */
void why_process_signals(const struct process_id *id, uint64_t *ret_ignored, uint64_t *ret_caught);
/* Who traces it; 0 = nobody. */
pid_t why_process_tracer(const struct process_id *id);
/*
 * What the oldest holder is to the process that bound the socket; of a socket without a row that
 * knows its binder (a connection), to the parent that it had when the table met it.
 */
enum why_kin why_kin_of(const struct inventory *inv, const struct socket_row *row,
			const struct process_id *holder);
/*
 * The holder runs the same program with the same arguments as the caller of a refusal, who may have
 * ended: `then` are the caller's arguments at its moment, where they were read.
 */
bool why_process_same(const struct inventory *inv, const struct process_id *holder,
		      const struct process_id *caller, const struct process_arguments *then);

#endif
