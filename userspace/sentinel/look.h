/* SPDX-License-Identifier: MIT */
/* The look at one process, by a pass that is bound to it.  Private to the room. */
#ifndef SENTINEL_LOOK_H
#define SENTINEL_LOOK_H

#include <stdint.h>

struct abi_look;

/*
 * Runs the iter/task_file program over the process look->pid alone and fills the rest of *look.
 * A program of type syscall could walk the process's table in less time than the 40 µs that this
 * takes, but cannot give a cookie to a socket that has none.
 * 0; -ESRCH; -EOPNOTSUPP on kernels before 6.1, which know no such parameter; negative errno.
 */
int look_run(int program_fd, uint64_t ticks_per_s, struct abi_look *look);

#endif
