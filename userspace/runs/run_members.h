/* SPDX-License-Identifier: MIT */
/*
 * Who belongs to the runs: as the kernel side knows it, and where it does not (no eBPF, a daemon
 * that came later, too many members at once) as /proc shows it, by environments and parents.
 */
#ifndef RUNS_RUN_MEMBERS_H
#define RUNS_RUN_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/run.h"

struct kernel_source;
struct registry;

/* Where it is asked; both are borrowed. */
struct run_members {
	const struct kernel_source *kernel;
	const struct registry *registry;
};

/*
 * All of them in order of run and pid; the pd of a run is a member of the run around it.  *ret is
 * the caller's: free().  0, negative errno.
 */
int run_members_list(const struct run_members *m, struct run_member **ret, size_t *ret_n);
/* Of one run; 1 where it is not known. */
size_t run_members_count(const struct run_members *m, uint32_t number);

/* Names them to the kernel side, which follows their children from then on.  How many were new to
 * it; negative errno. */
int run_members_join(const struct run_members *m, const struct run_member *members, size_t n);
/*
 * The same of whom /proc shows: each pd, who carries a run in its environment, and who has a parent
 * that does; until nobody is new, for members fork meanwhile.  0, negative errno.
 */
int run_members_place(const struct run_members *m);

#endif
