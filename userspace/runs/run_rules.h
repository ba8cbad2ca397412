/* SPDX-License-Identifier: MIT */
/*
 * What the kernel side is to do with the ports of a run's program (base/kernel_source.h): one that
 * is hard-coded is bound as the run's own, and reached under the old number by the runs of the same
 * project, of which the one that began last is asked first.
 */
#ifndef RUNS_RUN_RULES_H
#define RUNS_RUN_RULES_H

struct kernel_source;
struct registry;
struct run;

/*
 * Before the run has a member, and for one that was stored: tells its rules.  Also a run without
 * hard-coded ports has them, for it may have siblings, and protected ports.  0; -EOPNOTSUPP where
 * this kernel has no rules; negative errno.
 */
int run_rules_set(const struct kernel_source *kernel, const struct registry *registry,
		  const struct run *run);
/* Once it is over; its siblings stay. */
void run_rules_lift(const struct kernel_source *kernel, const struct registry *registry,
		    const struct run *run);

#endif
