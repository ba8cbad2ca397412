/* SPDX-License-Identifier: MIT */
/*
 * Who lasts: of the processes above one that asks, the nearest that does not merely stand between
 * it and somebody else.  A shell that was given one command line (`sh -c`), a subshell, timeout,
 * sudo or xargs end with what they run: what should outlive that command cannot belong to them.
 * Pure.
 */
#ifndef RECONCILE_LASTING_H
#define RECONCILE_LASTING_H

#include "base/process.h"

#define LASTING_ARGV_SIZE 512 /* what of a command line is looked at */

/*
 * The arguments of a process, each ended by a NUL, and one more behind the last; "" and two NULs
 * where they are not known.
 */
typedef void (*lasting_read_argv)(const struct process_id *id, char ret[LASTING_ARGV_SIZE],
				  void *user_data);

/*
 * Which of its ancestors (an index) is the nearest that lasts: a shell that people type into or
 * that runs a script, or any other program.  -1 where none does before init, a service manager, or
 * another program that starts everything and never ends.
 */
int lasting_ancestor(const struct process *process, lasting_read_argv read, void *user_data);

#endif
