/* SPDX-License-Identifier: MIT */
/*
 * Runs: programs that pd started, and all that descends from them.  A run has a number, by which
 * the kernel side knows it, and an id made of that, which every member carries in its environment:
 * by it a daemon that was not there at the beginning, or that has no eBPF, finds the members again.
 */
#ifndef BASE_RUN_H
#define BASE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"

#define RUN_VARIABLE "PORT_DADDY_RUN"
#define RUN_ID_SIZE  sizeof("run-12345678")

#define RUN_HARDCODED_MAX 8

/* A port that stands in the source of a run's program, and the one that the kernel gives it. */
struct run_hardcoded {
	uint16_t asked;
	uint16_t port;
};

/* "3000→5742" of a port that was given for another one, which was asked for; "5742" where asked is
 * 0.  Returns ret. */
#define RUN_PORT_SIZE sizeof("65535\u219265535")
const char *run_port_format(uint16_t asked, uint16_t port, char ret[static RUN_PORT_SIZE]);

/* What the kernel side is to do with the ports of a run's members (base/kernel_source.h). */
struct run_rules {
	uint64_t project; /* run_project() */
	uint16_t port;	  /* of its claim; 0 = none */
	bool transparent; /* members are told the port that they have asked for */
	size_t n;
	struct run_hardcoded hardcoded[RUN_HARDCODED_MAX];
};

#define RUN_SIBLINGS_MAX 4 /* runs of one project that have hard-coded the same port */

struct run_member {
	struct process_id id;
	uint32_t run; /* the innermost */
};

/*
 * Whose runs reach each other by their hard-coded ports: a number that one user's projects, known
 * by their directories, each have for themselves.  0 for "".
 */
uint64_t run_project(const char *directory, uid_t uid);

/* "run-0a1b2c3d".  Returns ret. */
const char *run_id_format(uint32_t number, char ret[static RUN_ID_SIZE]);
/* The number of an id; 0 for a text that is none. */
uint32_t run_id_parse(const char *text);

/*
 * The run that a process's environment names, as it was when its program began; 0 = none, or not
 * readable by this process (another user's, or one with more rights).
 */
uint32_t run_of_environment(pid_t pid);
/* The same as kernel_source.run_of, where the kernel side does not follow runs. */
uint32_t run_by_environment(void *user_data, const struct process_id *id);

/*
 * All processes of /proc that are known to be of a run (the n of `known`), or whose environment
 * names one, and those that descend from one of them by the parents that they have now; of that run
 * alone, where it is not 0.  *ret is the caller's: free().  0, negative errno.
 */
int run_find_members(const struct run_member *known, size_t n, uint32_t run,
		     struct run_member **ret, size_t *ret_n);

#endif
