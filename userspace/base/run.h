/* SPDX-License-Identifier: MIT */
/*
 * Runs: programs that pd started, and all that descends from them.  A run has a number, by which
 * the kernel side knows it, and an id made of that, which every member carries in its environment:
 * by it a daemon that was not there at the beginning, or that has no eBPF, finds the members again.
 */
#ifndef BASE_RUN_H
#define BASE_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "base/process.h"

#define RUN_VARIABLE "PORT_DADDY_RUN"
#define RUN_ID_SIZE  sizeof("run-12345678")

struct run_member {
	struct process_id id;
	uint32_t run; /* the innermost */
};

/* "run-0a1b2c3d".  Returns ret. */
const char *run_id_format(uint32_t number, char ret[static RUN_ID_SIZE]);
/* The number of an id; 0 for a text that is none. */
uint32_t run_id_parse(const char *text);

/*
 * The run that a process's environment names, as it was when its program began; 0 = none, or not
 * readable by this process (another user's, or one with more rights).
 */
uint32_t run_of_environment(pid_t pid);

/*
 * All processes of /proc that are known to be of a run (the n of `known`), or whose environment
 * names one, and those that descend from one of them by the parents that they have now; of that run
 * alone, where it is not 0.  *ret is the caller's: free().  0, negative errno.
 */
int run_find_members(const struct run_member *known, size_t n, uint32_t run,
		     struct run_member **ret, size_t *ret_n);

#endif
