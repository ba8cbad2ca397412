/* SPDX-License-Identifier: MIT */
/*
 * Who holds which socket, from the links in /proc/PID/fd: the way where there is no iterator.  Sees
 * only processes whose descriptors the caller may read.  Reads links and never follows them: a stat
 * of a descriptor's target hangs on a dead network file system.
 */
#ifndef INVENTORY_HOLDERS_PROC_H
#define INVENTORY_HOLDERS_PROC_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/process.h"

/*
 * Called for each descriptor that is a socket.  Returns 0, or a negative errno that ends the walk
 * and is passed on.
 */
typedef int (*holders_proc_visit)(const struct process_id *id, int fd, uint64_t inode,
				  void *user_data);

/* Every process that may be read; those that may not, and those that vanish, are passed over. */
int holders_proc_walk(holders_proc_visit visit, void *user_data);
/* The same in parts: the next process of an open /proc (borrowed).  0, negative errno. */
int holders_proc_next(DIR *proc, holders_proc_visit visit, void *user_data, bool *ret_more);

/* One process.  0; -ESRCH when it is gone, -EACCES when its descriptors may not be read. */
int holders_proc_look(const struct process_id *id, holders_proc_visit visit, void *user_data);

#endif
